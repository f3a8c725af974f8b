"""Admins make and end what programs sign in with; so does the command line."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import select

from db.accounts import find_user
from db.database import Database
from db.errors import GridrollError, NotFoundError
from db.proof.trail import changes_of
from db.schema import TokenRow
from db.tokens import add_token, find_token
from portal.bearer import bearer, hash_token
from portal.commands import user
from portal.token_commands import token
from tests.portal.accounts.conftest import Clock, asked_of, carried, give_factor, user_of
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, OTHER_COURSE, OTHER_INSTRUCTOR, PASSWORD, STUDENT_A
from tests.portal.conftest import Browser
from tests.portal.statements import MOST

pytestmark = pytest.mark.usefixtures("meeting")

Form = dict[str, str | list[str]]
GOOD: Form = {
    "name": "Room 7",
    "user": INSTRUCTOR,
    "scope": ["observations", "sessions"],
}


@pytest.fixture
def admin(browser: Browser) -> Browser:
    browser.sign_in(ADMIN)
    return browser


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> None:
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path))


def send(admin: Browser, form: Form, path: str = "/admin/tokens") -> tuple[int, str]:
    answer = admin.client.post(path, data={"csrf_token": admin.token("/admin/tokens/new"), **form})
    return answer.status_code, answer.text


def rows(database: Database) -> list[TokenRow]:
    with database.reading() as reading:
        return list(reading.scalars(select(TokenRow).order_by(TokenRow.id)))


def test_a_token_is_shown_once_and_opens_what_it_says(app: Flask, admin: Browser, database: Database) -> None:
    assert send(admin, GOOD | {"course": COURSE, "until": "2099-12-31"})[0] == 302
    assert "grl_" not in carried(app, admin)
    page = admin.get("/admin/tokens").text
    shown = re.search(r"<code>(grl_[\w-]{43})</code>", page)
    assert shown is not None
    again = admin.get("/admin/tokens").text
    assert "grl_" not in again
    for words in (
        "Room 7",
        "send what an agent sees of a session",
        INSTRUCTOR,
        COURSE,
        "Never",
        "Holds",
        "1 Jan 2100",
    ):
        assert words in again
    (row,) = rows(database)
    assert row.token_hash == hash_token(shown[1])
    assert (row.scopes, row.made_by) == ("observations sessions", ADMIN)
    with app.test_request_context(headers={"Authorization": f"Bearer {shown[1]}"}):
        caller = bearer()
        assert caller is not None
        assert caller.email == INSTRUCTOR
        assert sorted(caller.scopes) == ["observations", "sessions"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "x" * 121}, "needs a name"),
        ({"user": ""}, "a user is missing"),
        ({"user": STUDENT_A}, "is a student"),
        ({"scope": []}, "take some of"),
        ({"scope": ["everything"]}, "scope everything cannot be"),
        ({"scope": ["calendar", "attendance:edit"]}, "calendar stands alone"),
        ({"course": "NONE-1"}, "NONE-1"),
        ({"until": "tomorrow"}, "is no day"),
        ({"until": "2020-01-01"}, "is over"),
    ],
)
def test_a_token_that_cannot_be_keeps_what_was_typed(
    admin: Browser, database: Database, changed: Form, words: str
) -> None:
    status, page = send(admin, GOOD | changed)
    assert status == 400
    assert words.lower() in page.lower()
    assert f'value="{(GOOD | changed)["name"]}"'.replace('" "', '""') in page
    assert rows(database) == []


def test_a_form_sent_twice_makes_one_token(admin: Browser, database: Database) -> None:
    assert [send(admin, GOOD)[0] for _ in range(2)] == [302, 400]
    assert len(rows(database)) == 1


def test_a_token_is_ended_with_a_reason(admin: Browser, database: Database) -> None:
    send(admin, GOOD)
    path = f"/admin/tokens/{rows(database)[0].id}/revoke"
    status, page = send(admin, {}, path)
    assert (status, "A reason is missing" in page) == (400, True)
    assert send(admin, {"reason": "the laptop was stolen"}, path)[0] == 302
    assert "The token has ended" in admin.get("/admin/tokens").text
    assert send(admin, {"reason": "again"}, path)[0] == 302
    assert "had ended already" in admin.get("/admin/tokens").text
    with database.reading() as reading:
        assert find_token(reading, rows(database)[0].token_hash, rows(database)[0].made_at) is None
        (noted,) = changes_of(reading, action="token.revoked")
        assert (noted.actor, noted.reason) == (ADMIN, "the laptop was stolen")
    assert send(admin, {"reason": "x"}, "/admin/tokens/999/revoke")[0] == 404
    assert send(admin, GOOD)[0] == 302, "its name is free again"


def test_the_list_says_in_which_state_each_is(admin: Browser, database: Database, clock: Clock) -> None:
    send(admin, GOOD | {"until": f"{clock.now() + timedelta(days=1):%Y-%m-%d}"})
    clock.put(minutes=3 * 24 * 60)
    assert "Expired" in admin.get("/admin/tokens").text


def test_who_became_a_student_has_no_program_that_acts_for_them(app: Flask, database: Database) -> None:
    with database.writing() as writing:
        ines = find_user(writing, INSTRUCTOR)
        assert ines is not None
        add_token(writing, "Room 7", hash_token("grl_x"), ["sessions"], ines)
        ines.role = "student"
    with app.test_request_context(headers={"Authorization": "Bearer grl_x"}):
        assert bearer() is None


def test_the_list_asks_the_ledger_no_more_often_for_more_tokens(admin: Browser, database: Database) -> None:
    few = asked_of(database, admin, "/admin/tokens")
    with database.writing() as writing:
        ines = find_user(writing, INSTRUCTOR)
        assert ines is not None
        for number in range(30):
            add_token(writing, f"Room {number}", hash_token(str(number)), ["sessions"], ines)
    assert asked_of(database, admin, "/admin/tokens") == few <= MOST


def test_an_instructor_makes_and_ends_their_own_and_sees_nobody_elses(
    browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        otto = find_user(writing, OTHER_INSTRUCTOR)
        assert otto is not None
        add_token(writing, "Otto’s agent", "o" * 64, ["sessions"], otto)
    browser.sign_in(INSTRUCTOR)

    def own(form: Form, path: str = "/account/tokens") -> int:
        sent = {"csrf_token": browser.token("/account/tokens/new"), "current": PASSWORD, **form}
        return browser.client.post(path, data=sent).status_code

    page = browser.get("/account/tokens/new").text
    assert COURSE in page
    assert OTHER_COURSE not in page
    # Whoever is named in the form, it is theirs.
    assert own(GOOD | {"user": ADMIN, "course": COURSE}) == 302
    assert own(GOOD | {"name": "Elsewhere", "course": OTHER_COURSE}) == 400
    others, mine = rows(database)
    assert (mine.user_id, mine.made_by) == (user_of(database, INSTRUCTOR).id, INSTRUCTOR)
    page = browser.get("/account/tokens").text
    assert mine.name in page
    assert others.name not in page
    assert own({"reason": "x"}, f"/account/tokens/{others.id}/revoke") == 404
    assert own({"reason": "lost"}, f"/account/tokens/{mine.id}/revoke") == 302
    assert [row.revoked_at is None for row in rows(database)] == [True, False]


def test_a_token_of_ones_own_takes_the_password_of_now(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)

    def own(**current: str) -> tuple[int, str]:
        sent = {"csrf_token": browser.token("/account/tokens/new"), **GOOD, **current}
        answer = browser.client.post("/account/tokens", data=sent)
        return answer.status_code, answer.text

    for current in ({}, {"current": ""}, {"current": "wrong"}):
        status, page = own(**current)
        assert (status, "That is not your password" in page) == (400, True)
        assert 'value="Room 7"' in page
    assert "wrong" not in own(current="wrong")[1]
    assert 429 in [own(current="wrong")[0] for _ in range(20)]
    assert own(current=PASSWORD)[0] == 429
    assert rows(database) == []


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/admin/tokens", True),
        ("/admin/tokens/new", True),
        ("/account/tokens", False),
        ("/account/tokens/new", False),
    ],
)
def test_tokens_of_ones_own_are_no_part_of_the_admins_place(admin: Browser, path: str, here: bool) -> None:
    found = re.search(r'<a [^>]*aria-current="[^"]*"[^>]*>\s*Admin', admin.get(path).text)
    assert (found is not None) == here


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))  # type: ignore[arg-type]


def test_tokens_on_the_command_line(home: None, database: Database) -> None:
    given = ("--user", INSTRUCTOR, "--scope", "observations", "--course", COURSE, "--days", "30")
    made = run(token, "add", "Room 7", *given)
    assert made.exit_code == 0, made.output
    (row,) = rows(database)
    assert row.token_hash == hash_token(made.stdout.strip())
    assert row.expires_at is not None
    assert (row.expires_at - row.made_at).days in (29, 30)
    listed = run(token, "list").stdout
    assert all(words in listed for words in ("Room 7", INSTRUCTOR, COURSE, "observations", "Holds"))
    assert made.stdout.strip() not in listed
    assert run(token, "revoke", row.id, "--reason", "lost").stdout == "Token 1 has ended.\n"
    assert run(token, "revoke", row.id).stdout == "Token 1 had ended already.\n"
    assert "Revoked" in run(token, "list").stdout


@pytest.mark.parametrize(
    ("email", "error"), [("nobody@example.edu", NotFoundError), (STUDENT_A, GridrollError)]
)
def test_a_token_for_who_cannot_have_one_is_one_clear_error(
    home: None, email: str, error: type[Exception]
) -> None:
    result = run(token, "add", "Room 7", "--user", email, "--scope", "sessions")
    assert isinstance(result.exception, error)


def test_a_second_factor_is_shown_and_removed_on_the_command_line(
    app: Flask, home: None, database: Database
) -> None:
    give_factor(app, database, ADMIN)
    assert run(user, "second-factor", ADMIN).stdout == f"{ADMIN} signs in with a password and a code.\n"
    removed = run(user, "second-factor", ADMIN, "--remove", "--reason", "lost the phone")
    assert removed.stdout == f"{ADMIN} signs in with the password only.\n"
    assert user_of(database, ADMIN).totp_secret is None
    again = run(user, "second-factor", ADMIN, "--remove")
    assert again.stdout == f"{ADMIN} signs in with the password only, as before.\n"
    with database.reading() as reading:
        (noted,) = changes_of(reading, action="user.second_factor_removed")
    assert (noted.reason, "@" in noted.actor) == ("lost the phone", True)
