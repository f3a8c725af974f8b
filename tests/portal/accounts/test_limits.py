"""How often somebody may try to sign in, and that nobody learns from it which accounts there are."""

import re
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from flask import Flask, request
from sqlalchemy import select
from werkzeug.test import TestResponse

from db.database import Database
from db.schema import SignIn, ThrottleRow
from db.settings import Settings
from portal.access import public
from portal.accounts import entering
from portal.accounts.limits import PASSWORDS, PASSWORDS_HERE, client
from portal.app import close_app, create_app
from portal.server import make_server
from tests.portal.accounts.conftest import Clock, user_of
from tests.portal.cast import ADMIN, PASSWORD, STAFF, STUDENT_A
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

NOBODY = "nobody@example.edu"


def fail(browser: Browser, email: str, times: int) -> TestResponse:
    form = {"csrf_token": browser.token(), "email": email, "password": "a wrong guess"}
    answer = None
    for _ in range(times):
        answer = browser.client.post("/login", data=form)
    assert answer is not None
    return answer


def wording(answer: TestResponse, email: str) -> str:
    return re.sub(r'(csrf_token" value=)"[^"]+"', r"\1", answer.text).replace(email, "somebody")


def test_known_unknown_and_deactivated_accounts_are_answered_alike_before_and_after_too_many_tries(
    browser: Browser, database: Database, clock: Clock
) -> None:
    with database.writing() as writing:
        user = writing.get_one(type(user_of(database, STAFF)), user_of(database, STAFF).id)
        user.active = False
    answers: dict[str, TestResponse] = {}
    for times, status in ((PASSWORDS.tries, 401), (1, 429)):
        answers = {email: fail(browser, email, times) for email in (ADMIN, NOBODY, STAFF)}
        assert {answer.status_code for answer in answers.values()} == {status}
        assert len({wording(answer, email) for email, answer in answers.items()}) == 1
    waits = {int(answer.headers["Retry-After"]) for answer in answers.values()}
    assert max(waits) <= PASSWORDS.window.total_seconds()
    assert max(waits) - min(waits) <= 30
    assert "Too many tries. Wait 15 minutes" in answers[ADMIN].text


def test_the_right_password_is_refused_as_well_until_the_time_is_over(browser: Browser, clock: Clock) -> None:
    fail(browser, ADMIN, PASSWORDS.tries)
    assert browser.sign_in(ADMIN).status_code == 429
    assert browser.sign_in(f" {ADMIN.upper()}").status_code == 429, "however it is written"
    assert browser.sign_in(STUDENT_A).status_code == 302, "nobody else waits for it"
    clock.put(minutes=15.1)
    assert Browser(browser.client.application.test_client()).sign_in(ADMIN).status_code == 302


def test_signing_in_begins_the_count_anew(browser: Browser, other: Browser) -> None:
    fail(browser, ADMIN, PASSWORDS.tries - 1)
    assert browser.sign_in(ADMIN).status_code == 302
    assert fail(other, ADMIN, PASSWORDS.tries).status_code == 401


def test_an_address_that_fails_for_many_accounts_waits_and_others_do_not(
    app: Flask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    user = user_of(database, ADMIN)
    # A hundred passwords take their time to check, and what they cost is another test's matter.
    monkeypatch.setattr(entering, "check_account", lambda email, given: user if given == PASSWORD else None)

    def guess(number: int, address: str, password: str = "a guess", email: str = "") -> int:
        form = {"email": email or f"user{number}@example.edu", "password": password}
        return app.test_client().post("/login", data=form, environ_base={"REMOTE_ADDR": address}).status_code

    here, there = "203.0.113.7", "203.0.113.8"
    statuses = [guess(number, here) for number in range(PASSWORDS_HERE.tries + 1)]
    assert statuses == [401] * PASSWORDS_HERE.tries + [429]
    assert guess(0, here, PASSWORD, ADMIN) == 429
    assert guess(0, there, PASSWORD, ADMIN) == 302


def test_a_school_behind_one_address_signs_in_as_often_as_it_likes(app: Flask, database: Database) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    for _ in range(3):
        form = {"email": ADMIN, "password": PASSWORD}
        assert app.test_client().post("/login", data=form).status_code == 302
    with database.reading() as reading:
        assert list(reading.scalars(select(ThrottleRow.tries))) == [0], "the address's; the account's is gone"


def test_old_counts_are_swept(browser: Browser, database: Database, clock: Clock) -> None:
    fail(browser, ADMIN, 1)
    clock.put(minutes=90)
    fail(browser, STAFF, 1)
    with database.reading() as reading:
        assert len(reading.scalars(select(ThrottleRow)).all()) == 2, "Stella's, and the address's of now"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),  # who has one address there has all of them
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_an_address_counts_for_what_its_owner_holds(app: Flask, address: str, counted: str) -> None:
    with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert client() == counted


@pytest.fixture
def asked(settings: Settings, database: Database, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a real server behind so many proxies, which answers with whom it takes the visitor for."""
    app = create_app(settings.model_copy(update={"portal_proxies": request.param}), database)
    app.add_url_rule("/who", view_func=public(who))
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield f"{server.url}/who"
    server.stop()
    thread.join(10)
    close_app(app)


def who() -> str:
    return f"{client()} {request.scheme}"


@pytest.mark.parametrize(
    ("asked", "sent", "seen"),
    [
        (0, "198.51.100.1", "127.0.0.1 http"),  # whoever sends it may claim anything
        (1, "198.51.100.1", "198.51.100.1 https"),
        (1, "198.51.100.66, 198.51.100.1", "198.51.100.1 https"),  # the first was claimed by the visitor
        (2, "198.51.100.66, 198.51.100.1, 10.0.0.2", "198.51.100.1 https"),
        (2, "198.51.100.1", "127.0.0.1 https"),  # a proxy was gone around
        (1, None, "127.0.0.1 https"),
    ],
    indirect=["asked"],
)
def test_what_proxies_say_is_believed_as_far_as_the_settings_do(
    asked: str, sent: str | None, seen: str
) -> None:
    headers = {"X-Forwarded-Proto": "https, https"} | ({} if sent is None else {"X-Forwarded-For": sent})
    with urllib.request.urlopen(urllib.request.Request(asked, headers=headers), timeout=10) as answer:
        assert answer.read().decode() == seen


def test_nothing_begins_where_too_many_tried(browser: Browser, database: Database) -> None:
    fail(browser, ADMIN, PASSWORDS.tries)
    browser.sign_in(ADMIN)
    with database.reading() as reading:
        assert reading.scalars(select(SignIn)).all() == []


def test_behind_a_proxy_that_ends_https_forms_need_their_token_and_no_referer(
    settings: Settings, database: Database
) -> None:
    app = create_app(settings.model_copy(update={"portal_proxies": 1, "portal_https": True}), database)
    browser, headers = app.test_client(), {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    page = browser.get("/login", base_url="https://localhost", headers=headers).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    form = {"email": ADMIN, "password": PASSWORD}
    refused, answer = (
        browser.post(
            "/login", base_url="https://localhost", headers=headers, data=form | {"csrf_token": token}
        )
        for token in ("", found[1])
    )
    assert (refused.status_code, answer.status_code) == (400, 302)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-gridroll=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    close_app(app)
