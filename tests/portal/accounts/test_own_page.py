"""Everybody's page of their own account."""

import pytest
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.proof.trail import changes_of
from db.schema import SignIn
from portal.accounts.limits import OWN_PASSWORDS
from tests.portal.accounts.conftest import asked_of, give_factor
from tests.portal.cast import ADMIN, INSTRUCTOR, PASSWORD, STAFF, STUDENT_A
from tests.portal.conftest import Browser
from tests.portal.statements import MOST

pytestmark = pytest.mark.usefixtures("meeting")

NEW = "another horse battery"


def change(browser: Browser, **changed: str) -> tuple[int, str]:
    form = {"csrf_token": browser.token("/account"), "current": PASSWORD, "password": NEW, "again": NEW}
    answer = browser.client.post("/account/password", data=form | changed)
    return answer.status_code, answer.text


@pytest.mark.parametrize("email", [ADMIN, STAFF, INSTRUCTOR, STUDENT_A])
def test_everybody_changes_their_own_password(browser: Browser, database: Database, email: str) -> None:
    browser.sign_in(email)
    assert change(browser)[0] == 302
    assert "Your password is changed" in browser.get("/account").text
    assert browser.sign_out("/account").status_code == 302
    assert browser.sign_in(email).status_code == 401
    assert browser.sign_in(email, NEW).status_code == 302
    with database.reading() as reading:
        actor = changes_of(reading, action="user.password_changed")[0].actor
    # A student can be removed, and the chain cannot forget.
    assert actor == ("student:1" if email == STUDENT_A else email)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"current": "a wrong guess"}, "not your password"),
        ({"current": ""}, "not your password"),
        ({"again": "something else"}, "passwords differ"),
        ({"password": "short", "again": "short"}, "at least 10"),
        ({"password": "x" * 600, "again": "x" * 600}, "at most 512"),
    ],
)
def test_a_password_that_cannot_be_changes_nothing(
    browser: Browser, other: Browser, changed: dict[str, str], words: str
) -> None:
    browser.sign_in(STUDENT_A)
    status, page = change(browser, **changed)
    assert status == 400
    assert words in page
    assert other.sign_in(STUDENT_A).status_code == 302


def test_who_finds_an_open_browser_cannot_guess_the_password(browser: Browser) -> None:
    browser.sign_in(ADMIN)
    statuses = [change(browser, current="a guess")[0] for _ in range(OWN_PASSWORDS.tries + 1)]
    assert statuses == [400] * OWN_PASSWORDS.tries + [429]
    assert change(browser)[0] == 429


def test_sign_ins_are_listed_and_the_others_ended(
    app: Flask, browser: Browser, other: Browser, database: Database
) -> None:
    browser.sign_in(ADMIN)
    assert "Nowhere else" in browser.get("/account").text
    other.sign_in(ADMIN)
    assert browser.get("/account").text.count("Another browser") == 1
    browser.client.post("/account/sign-ins/end", data={"csrf_token": browser.token("/account")})
    assert "Nowhere else" in browser.get("/account").text
    assert other.get("/account").status_code == 401


def test_the_page_asks_the_ledger_no_more_often_for_more_sign_ins(
    app: Flask, browser: Browser, database: Database
) -> None:
    browser.sign_in(ADMIN)
    give_factor(app, database, ADMIN)
    few = asked_of(database, browser, "/account")
    with database.writing() as writing:
        row = writing.scalars(select(SignIn)).one()
        for number in range(60):
            writing.add(
                SignIn(
                    token_hash=f"{number}",
                    user_id=row.user_id,
                    created_at=row.created_at,
                    last_used_at=row.last_used_at,
                )
            )
    assert asked_of(database, browser, "/account") == few <= MOST
