"""The second factor: switched on, asked for, taken away."""

import re
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.proof.trail import changes_of
from db.schema import SignIn
from portal.accounts.codes import matching_step, qr_picture
from portal.accounts.limits import CODES
from portal.errors import PortalError
from portal.secret import Box
from tests.portal.accounts.conftest import Clock, give_factor, user_of
from tests.portal.cast import ADMIN, PASSWORD, STUDENT_A
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

HALF_A_MINUTE = timedelta(seconds=30)


def send_code(browser: Browser, code: str) -> int:
    form = {"csrf_token": browser.token("/login/code"), "code": code}
    return browser.client.post("/login/code", data=form).status_code


def sign_ins(database: Database) -> int:
    with database.reading() as reading:
        return len(reading.scalars(select(SignIn)).all())


def test_it_is_switched_on_by_scanning_and_showing_a_code(
    browser: Browser, other: Browser, database: Database, clock: Clock
) -> None:
    browser.sign_in(STUDENT_A)
    page = browser.get("/account/second-factor").text
    assert 'src="data:image/svg+xml;' in page
    spelled, sealed = (
        found[1]
        for found in (
            re.search(r"<code>([A-Z2-7 ]+)</code>", page),
            re.search(r'"sealed" value="([^"]+)"', page),
        )
        if found
    )
    phone = pyotp.TOTP(spelled.replace(" ", ""))
    form = {"csrf_token": browser.token("/account/second-factor"), "sealed": sealed, "current": PASSWORD}

    wrong = browser.client.post("/account/second-factor", data=form | {"code": "000000"})
    assert wrong.status_code == 400
    assert spelled in wrong.text, "the picture that was scanned stays"
    code = phone.at(clock.now())
    refused = browser.client.post("/account/second-factor", data=form | {"code": code, "current": "a guess"})
    assert (refused.status_code, user_of(database, STUDENT_A).totp_secret) == (400, None)

    assert browser.client.post("/account/second-factor", data=form | {"code": code}).location == "/account"
    stored = user_of(database, STUDENT_A).totp_secret
    assert stored is not None
    assert phone.secret not in stored
    assert "code of your phone" in browser.get("/account").text

    assert other.sign_in(STUDENT_A).location == "/login/code"
    assert send_code(other, code) == 401, "the code that switched it on was taken"
    clock.put(minutes=1)
    assert send_code(other, phone.at(clock.now())) == 302
    assert other.get("/me").status_code == 200


def test_there_is_no_sign_in_before_the_code_is_right(
    app: Flask, browser: Browser, database: Database, clock: Clock
) -> None:
    phone = give_factor(app, database, ADMIN)
    browser.client.get("/sessions/1")
    answer = browser.sign_in(ADMIN, wanted="/sessions/1")
    assert answer.location == "/login/code?next=/sessions/1"
    assert browser.get("/sessions").location == "/login?next=/sessions"
    assert send_code(browser, "000000") == 401
    assert sign_ins(database) == 0
    half = browser.client.get_cookie("gridroll")
    form = {"csrf_token": browser.token("/login/code"), "code": phone.at(clock.now()), "next": "/sessions/1"}
    assert browser.client.post("/login/code", data=form).location == "/sessions/1"
    assert browser.get("/sessions").status_code == 200
    whole = browser.client.get_cookie("gridroll")
    assert half is not None
    assert whole is not None
    assert half.value != whole.value


def test_each_code_opens_once(
    app: Flask, browser: Browser, other: Browser, database: Database, clock: Clock
) -> None:
    phone = give_factor(app, database, ADMIN)
    code, before = phone.at(clock.now()), phone.at(clock.now() - HALF_A_MINUTE)
    browser.sign_in(ADMIN)
    assert send_code(browser, f" {code[:3]} {code[3:]} ") == 302
    other.sign_in(ADMIN)
    assert send_code(other, code) == 401
    assert send_code(other, before) == 401, "an earlier one even less"


@pytest.mark.parametrize(("steps", "near"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_phone_may_be_half_a_minute_wrong(clock: Clock, steps: int, near: bool) -> None:
    phone, now = pyotp.TOTP(pyotp.random_base32()), clock.now()
    found = matching_step(phone.secret, phone.at(now + steps * HALF_A_MINUTE), now)
    assert (found is not None) == near


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "x" * 10_000])
def test_what_is_no_code_is_refused(clock: Clock, code: str) -> None:
    assert matching_step(pyotp.random_base32(), code, clock.now()) is None


def test_codes_cannot_be_guessed(app: Flask, browser: Browser, database: Database, clock: Clock) -> None:
    phone = give_factor(app, database, ADMIN)
    browser.sign_in(ADMIN)
    assert [send_code(browser, "000000") for _ in range(CODES.tries + 1)] == [401] * CODES.tries + [429]
    assert send_code(browser, phone.at(clock.now())) == 429
    # Beginning again with the password does not help.
    browser.sign_in(ADMIN)
    assert send_code(browser, phone.at(clock.now())) == 429
    assert sign_ins(database) == 0


@pytest.mark.parametrize("what", ["time", "password", "deactivated", "factor"])
def test_half_a_sign_in_ends(
    app: Flask, browser: Browser, database: Database, clock: Clock, what: str
) -> None:
    phone = give_factor(app, database, ADMIN)
    browser.sign_in(ADMIN)
    form = {"csrf_token": browser.token("/login/code"), "code": phone.at(clock.now())}
    with database.writing() as writing:
        user = writing.get_one(type(user_of(database, ADMIN)), user_of(database, ADMIN).id)
        match what:
            case "time":
                clock.put(minutes=11)
            case "password":
                user.password_hash = "another"
            case "deactivated":
                user.active = False
            case "factor":
                user.totp_secret = None
    assert browser.client.post("/login/code", data=form).status_code == 401
    assert browser.get("/login/code").location == "/login"
    assert sign_ins(database) == 0


def test_switching_it_off_needs_password_and_code(
    app: Flask, browser: Browser, database: Database, clock: Clock
) -> None:
    browser.sign_in(ADMIN)
    phone = give_factor(app, database, ADMIN)
    path = "/account/second-factor/remove"
    form = {"csrf_token": browser.token("/account"), "current": PASSWORD, "code": phone.at(clock.now())}
    for wrong in ({"current": "a guess"}, {"code": "000000"}):
        assert browser.client.post(path, data=form | wrong).status_code == 400
    assert user_of(database, ADMIN).totp_secret is not None
    assert browser.client.post(path, data=form).location == "/account"
    assert user_of(database, ADMIN).totp_secret is None
    with database.reading() as reading:
        assert changes_of(reading, action="user.second_factor_removed")[0].actor == ADMIN


def test_a_picture_of_somebody_else_switches_nothing_on(
    app: Flask, browser: Browser, other: Browser, clock: Clock
) -> None:
    other.sign_in(ADMIN)
    sealed = re.search(r'"sealed" value="([^"]+)"', other.get("/account/second-factor").text)
    assert sealed is not None
    browser.sign_in(STUDENT_A)
    form = {"csrf_token": browser.token("/account"), "current": PASSWORD, "code": "123456"}
    for brought in (sealed[1], "", "x"):
        answer = browser.client.post("/account/second-factor", data=form | {"sealed": brought})
        assert (answer.status_code, "too old" in answer.text) == (400, True)


def test_where_the_key_was_lost_the_page_says_whom_to_ask(
    app: Flask, browser: Browser, database: Database, clock: Clock
) -> None:
    phone = give_factor(app, database, ADMIN)
    app.config["SECRET_KEY"] = b"k" * 32
    browser.sign_in(ADMIN)
    form = {"csrf_token": browser.token("/login/code"), "code": phone.at(clock.now())}
    answer = browser.client.post("/login/code", data=form)
    assert answer.status_code == 401
    assert "Ask an admin to remove it" in answer.text


def test_the_picture_says_whose_secret_it_is() -> None:
    secret = pyotp.random_base32(32)
    assert qr_picture(secret, ADMIN).startswith("data:image/svg+xml;charset=utf-8,%3Csvg")
    assert qr_picture(secret, ADMIN) != qr_picture(secret, STUDENT_A)


def test_what_a_box_seals_only_a_box_of_the_same_key_and_purpose_opens() -> None:
    box = Box(b"k" * 32, "second factor")
    sealed = box.seal("a secret")
    assert sealed != box.seal("a secret")
    assert "a secret" not in sealed
    assert Box(b"k" * 32, "second factor").unseal(sealed) == "a secret"
    for other, brought in (
        (Box(b"k" * 32, "webhooks"), sealed),
        (Box(b"q" * 32, "second factor"), sealed),
        (box, f"{sealed[:-4]}AAA="),
    ):
        with pytest.raises(PortalError, match=r"another portal\.key"):
            other.unseal(brought)
