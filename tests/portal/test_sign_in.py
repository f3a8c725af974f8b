"""Signing in and out."""

import re
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import update

from db.accounts import find_user
from db.database import Database
from db.errors import StoreError
from db.schema import SignIn
from db.settings import Settings
from portal import passwords, sign_in
from portal.app import close_app, create_app
from portal.paths import safe_path
from tests.portal.cast import ADMIN, PASSWORD, STUDENT_A
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")


@pytest.mark.parametrize(
    ("email", "page"), [(ADMIN, "/today"), (STUDENT_A, "/me"), (f"  {ADMIN.upper()} ", "/today")]
)
def test_everybody_gets_to_where_their_work_is(browser: Browser, email: str, page: str) -> None:
    assert browser.sign_in(email).location == "/"
    assert browser.get("/").location == page
    assert browser.get(page).status_code == 200


def test_an_unknown_account_and_a_wrong_password_get_the_same_answer(browser: Browser) -> None:
    form = {"csrf_token": browser.token(), "password": "wrong password"}
    unknown = browser.client.post("/login", data=form | {"email": "nobody@example.edu"})
    wrong = browser.client.post("/login", data=form | {"email": ADMIN})
    assert unknown.status_code == wrong.status_code == 401
    # The form's token tells the time.
    pages = [re.sub(r'(csrf_token" value=)"[^"]+"', r"\1", answer.text) for answer in (unknown, wrong)]
    assert pages[0].replace("nobody@example.edu", ADMIN) == pages[1]


def test_an_unknown_account_costs_as_much_work_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Recording(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            asked.append(str(hash))
            return super().verify(hash, password)

    stored = passwords.hash_password(PASSWORD)
    used = passwords.HASHER
    monkeypatch.setattr(passwords, "HASHER", Recording(used.time_cost, used.memory_cost, used.parallelism))
    assert not passwords.check_password(None, "a guess").matches
    assert len(asked) == 1
    # The same parameters, hence the same memory and passes.
    assert asked[0].split("$")[:4] == stored.split("$")[:4]


def test_a_deactivated_account_is_refused_like_a_wrong_password(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        user = find_user(writing, ADMIN)
        assert user is not None
        user.active = False
    assert browser.sign_in(ADMIN).status_code == 401


def test_deactivating_an_account_ends_its_visits(browser: Browser, database: Database) -> None:
    browser.sign_in(ADMIN)
    with database.writing() as writing:
        user = find_user(writing, ADMIN)
        assert user is not None
        user.active = False
    ended = browser.get("/sessions")
    assert ended.status_code == 401
    assert 'href="/login?next=/sessions"' in ended.text
    assert browser.get("/sessions").location == "/login?next=/sessions", "the cookie is cleared"


def test_a_cookie_copied_before_signing_out_is_worth_nothing_afterwards(app: Flask, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    cookie = browser.client.get_cookie("gridroll")
    assert cookie is not None
    form = {"csrf_token": browser.token("/sessions")}
    assert browser.sign_out("/sessions").location == "/login"

    thief = app.test_client()
    thief.set_cookie("gridroll", cookie.value)
    assert thief.get("/sessions").status_code == 401
    thief.set_cookie("gridroll", cookie.value)
    assert thief.post("/logout", data=form).status_code == 401


def test_a_ledger_that_is_away_while_somebody_signs_in_leaves_their_form_good(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"csrf_token": browser.token(), "email": ADMIN, "password": PASSWORD}

    def away(*given: object) -> SignIn:
        raise StoreError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(sign_in, "find_sign_in", away)
        assert browser.client.post("/login", data=form).status_code == 503
    assert browser.client.post("/login", data=form).location == "/"
    assert browser.get("/sessions").status_code == 200


def test_signing_out_by_a_link_is_impossible(browser: Browser) -> None:
    browser.sign_in(ADMIN)
    assert browser.get("/logout").status_code == 405
    assert browser.get("/sessions").status_code == 200


def test_signing_in_starts_a_new_cookie(browser: Browser) -> None:
    browser.token()
    before = browser.client.get_cookie("gridroll")
    old_token = browser.token()
    browser.sign_in(ADMIN)
    after = browser.client.get_cookie("gridroll")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert browser.client.post("/logout", data={"csrf_token": old_token}).status_code == 400


def test_the_ledger_holds_no_token_that_could_be_used(browser: Browser, database: Database) -> None:
    browser.sign_in(ADMIN)
    with browser.client.session_transaction() as cookie, database.reading() as reading:
        row = reading.query(SignIn).one()
        assert cookie["_user_id"] not in row.token_hash
        assert len(row.token_hash) == 64


@pytest.mark.parametrize(
    ("column", "minutes", "status"),
    [
        ("last_used_at", 29, 200),
        ("last_used_at", 30, 401),
        ("created_at", 179, 200),
        ("created_at", 180, 401),
    ],
)
def test_a_visit_ends_by_itself_when_the_settings_say(
    settings: Settings, database: Database, column: str, minutes: int, status: int
) -> None:
    app = create_app(
        settings.model_copy(update={"portal_idle_minutes": 30, "portal_longest_hours": 3}), database
    )
    browser = Browser(app.test_client())
    browser.sign_in(ADMIN)
    assert browser.get("/sessions").status_code == 200
    with database.writing() as writing:
        row = writing.query(SignIn).one()
        writing.execute(update(SignIn).values({column: getattr(row, column) - timedelta(minutes=minutes)}))
    assert browser.get("/sessions").status_code == status
    close_app(app)


def test_using_the_portal_keeps_the_visit_alive(browser: Browser, database: Database) -> None:
    browser.sign_in(ADMIN)
    hour = timedelta(hours=1)
    with database.writing() as writing:
        row = writing.query(SignIn).one()
        earlier = row.last_used_at = row.last_used_at - hour
    assert browser.get("/sessions").status_code == 200
    with database.reading() as reading:
        assert reading.query(SignIn).one().last_used_at > earlier + hour / 2


def test_a_form_without_its_token_changes_nothing(browser: Browser) -> None:
    refused = browser.client.post("/login", data={"email": ADMIN, "password": PASSWORD})
    assert refused.status_code == 400
    assert "This form is too old" in refused.text
    assert browser.get("/sessions").status_code == 302

    browser.sign_in(ADMIN)
    assert browser.client.post("/logout").status_code == 400
    assert browser.get("/sessions").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("/sessions/3", True),
        ("/sessions?page=2", True),
        ("//evil.example/x", False),  # another host
        ("/\\evil.example", False),  # browsers read the backslash as a slash
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("/\t/evil.example", False),  # browsers drop the tab
        ("sessions", False),
        ("", False),
        (None, False),
    ],
)
def test_signing_in_leads_nowhere_but_into_the_portal(
    browser: Browser, wanted: str | None, kept: bool
) -> None:
    assert safe_path(wanted) == (wanted if kept else None)
    assert browser.sign_in(ADMIN, wanted=wanted).location == (wanted if kept else "/")


def test_the_page_that_was_asked_for_comes_after_signing_in(browser: Browser) -> None:
    asked = browser.get("/sessions/1?x=1")
    assert asked.location == "/login?next=/sessions/1?x%3D1"
    assert 'name="next" value="/sessions/1?x=1"' in browser.get(asked.location).text


def test_a_password_hashed_more_cheaply_is_hashed_anew(browser: Browser, database: Database) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with database.writing() as writing:
        user = find_user(writing, ADMIN)
        assert user is not None
        user.password_hash = cheap
    browser.sign_in(ADMIN)
    with database.reading() as reading:
        user = find_user(reading, ADMIN)
        assert user is not None
        assert user.password_hash != cheap
        assert passwords.check_password(user.password_hash, PASSWORD).matches
