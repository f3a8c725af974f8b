"""The first account: made by whoever started the portal, once."""

import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from os import environ

import pytest
from flask import Flask
from sqlalchemy import select

from db.accounts import add_user
from db.database import Database
from db.proof.trail import changes_of
from db.schema import User
from db.settings import Settings
from portal.accounts.setup import offer_setup
from tests.portal.cast import ADMIN, PASSWORD
from tests.portal.conftest import Browser


def send(browser: Browser, path: str, email: str = ADMIN, **changed: str) -> int:
    form = {"csrf_token": browser.token("/login"), "email": email, "password": PASSWORD, "again": PASSWORD}
    return browser.client.post(path, data=form | changed).status_code


def test_the_link_makes_the_admin_once(app: Flask, browser: Browser, database: Database) -> None:
    path = offer_setup(app)
    assert path is not None
    assert "The first account" in browser.get(path).text
    for wrong in ({"email": "nobody"}, {"password": "short", "again": "short"}, {"again": "another"}):
        assert send(browser, path, **wrong) == 400
    assert send(browser, path) == 302
    with database.reading() as reading:
        assert [(user.email, user.role) for user in reading.scalars(select(User))] == [(ADMIN, "admin")]
        assert changes_of(reading, action="user.added")[0].actor == ADMIN
    assert browser.get(path).status_code == 404
    assert send(browser, path, "second@example.edu") == 404
    assert browser.sign_in(ADMIN).location == "/"
    assert offer_setup(app) is None


@pytest.mark.parametrize("path", ["/setup/", "/setup/x", "/setup/None", "/setup/" + "a" * 64])
def test_without_the_right_link_there_is_no_such_page(app: Flask, browser: Browser, path: str) -> None:
    assert (browser.get(path).status_code, send(browser, path)) == (404, 404), "nothing is offered"
    assert offer_setup(app) is not None
    assert (browser.get(path).status_code, send(browser, path)) == (404, 404)


def test_where_somebody_can_sign_in_the_link_that_was_printed_is_no_more(
    app: Flask, browser: Browser, database: Database
) -> None:
    path = offer_setup(app)
    assert path is not None
    with database.writing() as writing:
        add_user(writing, "sue@x.example", "staff", "hash")
    assert browser.get(path).status_code == 404
    assert send(browser, path) == 404


def test_of_two_who_send_the_form_at_once_one_makes_the_account(app: Flask, database: Database) -> None:
    path = offer_setup(app)
    assert path is not None
    app.config["WTF_CSRF_ENABLED"] = False

    def make(number: int) -> int:
        form = {"email": f"a{number}@x.example", "password": PASSWORD, "again": PASSWORD}
        return app.test_client().post(path, data=form).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, range(4))) == [302, 404, 404, 404]
    with database.reading() as reading:
        assert len(reading.scalars(select(User)).all()) == 1


def test_serve_prints_the_link_while_nobody_can_sign_in(settings: Settings, database: Database) -> None:
    program = "from portal.commands import serve; serve(['--port', '0'])"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=environ | {"GRIDROLL_HOME": str(settings.home)},
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/setup/\S+", process.stdout.readline())
            assert found is not None
            with urllib.request.urlopen(found[0], timeout=10) as answer:
                assert b"The first account" in answer.read()
            process.terminate()
            process.communicate(timeout=20)
        finally:
            process.kill()
