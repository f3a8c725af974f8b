"""A cookie that was copied is worth nothing once its sign-in has ended, by whatever."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from db.accounts import set_active
from db.database import Database
from db.roles import set_role
from db.schema import SignIn, User
from tests.portal.accounts.conftest import user_of
from tests.portal.cast import ADMIN, INSTRUCTOR, PASSWORD
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

NEW = "another horse battery"


def signs_out(owner: Browser, app: Flask, database: Database) -> None:
    owner.sign_out("/account")


def changes_the_password_elsewhere(owner: Browser, app: Flask, database: Database) -> None:
    elsewhere = Browser(app.test_client())
    elsewhere.sign_in(INSTRUCTOR)
    form = {"csrf_token": elsewhere.token("/account"), "current": PASSWORD, "password": NEW, "again": NEW}
    assert elsewhere.client.post("/account/password", data=form).status_code == 302
    assert elsewhere.get("/account").status_code == 200, "here it goes on"


def ends_the_others(owner: Browser, app: Flask, database: Database) -> None:
    elsewhere = Browser(app.test_client())
    elsewhere.sign_in(INSTRUCTOR)
    form = {"csrf_token": elsewhere.token("/account")}
    assert elsewhere.client.post("/account/sign-ins/end", data=form).status_code == 302
    assert elsewhere.get("/account").status_code == 200


def uses_a_link(owner: Browser, app: Flask, database: Database) -> None:
    admin, path = Browser(app.test_client()), f"/admin/users/{user_of(database, INSTRUCTOR).id}"
    admin.sign_in(ADMIN)
    admin.client.post(f"{path}/link", data={"csrf_token": admin.token(path)})
    link = re.search(r"/reset/[\w-]+", admin.get(path).text)
    assert link is not None
    fresh = Browser(app.test_client())
    form = {"csrf_token": fresh.token(link[0]), "password": NEW, "again": NEW}
    assert fresh.client.post(link[0], data=form).status_code == 302


def is_deactivated(owner: Browser, app: Flask, database: Database) -> None:
    with database.writing() as writing:
        set_active(writing, writing.get_one(User, user_of(database, INSTRUCTOR).id), False)


def is_deactivated_and_activated_again(owner: Browser, app: Flask, database: Database) -> None:
    is_deactivated(owner, app, database)
    with database.writing() as writing:
        set_active(writing, writing.get_one(User, user_of(database, INSTRUCTOR).id), True)


def gets_another_role(owner: Browser, app: Flask, database: Database) -> None:
    with database.writing() as writing:
        set_role(writing, writing.get_one(User, user_of(database, INSTRUCTOR).id), "staff")


def idles_too_long(owner: Browser, app: Flask, database: Database) -> None:
    pass_time(database, "last_used_at", timedelta(hours=2))


def stays_too_long(owner: Browser, app: Flask, database: Database) -> None:
    pass_time(database, "created_at", timedelta(hours=12))


def pass_time(database: Database, column: str, long: timedelta) -> None:
    with database.writing() as writing:
        row = writing.scalars(select(SignIn)).one()
        writing.execute(update(SignIn).values({column: getattr(row, column) - long}))


@pytest.mark.parametrize(
    "end",
    [
        signs_out, changes_the_password_elsewhere, ends_the_others, uses_a_link, is_deactivated,
        is_deactivated_and_activated_again, gets_another_role, idles_too_long, stays_too_long,
    ],
)  # fmt: skip
def test_a_copied_cookie_is_refused_once_its_owner(
    app: Flask, browser: Browser, database: Database, end: Callable[[Browser, Flask, Database], None]
) -> None:
    browser.sign_in(INSTRUCTOR)
    form = {"csrf_token": browser.token("/account")}
    cookie = browser.client.get_cookie("gridroll")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("gridroll", cookie.value)
    assert thief.get("/sessions").status_code == 200
    end(browser, app, database)
    for method, path in (("GET", "/sessions"), ("GET", "/account"), ("POST", "/account/sign-ins/end")):
        thief.set_cookie("gridroll", cookie.value)
        assert thief.open(path, method=method, data=form).status_code == 401, path


def test_a_cookie_that_was_planted_before_signing_in_opens_nothing(app: Flask, browser: Browser) -> None:
    browser.token()
    planted = browser.client.get_cookie("gridroll")
    assert planted is not None
    browser.sign_in(ADMIN)
    after = browser.client.get_cookie("gridroll")
    assert after is not None
    assert after.value != planted.value
    attacker = app.test_client()
    attacker.set_cookie("gridroll", planted.value)
    assert attacker.get("/sessions").location == "/login?next=/sessions"


def test_a_cookie_that_was_altered_opens_nothing(app: Flask, browser: Browser) -> None:
    browser.sign_in(ADMIN)
    cookie = browser.client.get_cookie("gridroll")
    assert cookie is not None
    forger = app.test_client()
    forger.set_cookie("gridroll", cookie.value[:-2] + ("AA" if not cookie.value.endswith("AA") else "BB"))
    assert forger.get("/sessions").status_code == 302


def test_the_cookie_of_a_sign_in_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    header = browser.sign_in(ADMIN).headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in header.split(";")}
    assert "Expires" not in header, "the browser forgets it when it is closed"
