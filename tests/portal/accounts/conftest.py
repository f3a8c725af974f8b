"""A clock that can be put forward, and accounts with what they hold."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from db.accounts import find_user
from db.database import Database
from db.schema import User
from db.second_factors import add_second_factor
from portal.accounts.codes import box
from portal.desk import desk_of, put_desk
from tests.portal.conftest import Browser
from tests.portal.statements import counting


@dataclass
class Clock:
    """The portal's time of day, as far ahead of the real one as it was put."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def put(self, minutes: float) -> None:
        self.ahead += timedelta(minutes=minutes)


@pytest.fixture
def clock(app: Flask) -> Clock:
    clock = Clock()
    put_desk(app, replace(desk_of(app), now=clock.now))
    return clock


@pytest.fixture
def other(app: Flask) -> Browser:
    """Another browser, of the same person or of somebody else."""
    return Browser(app.test_client())


def user_of(database: Database, email: str) -> User:
    with database.reading() as reading:
        user = find_user(reading, email)
    assert user is not None
    return user


def asked_of(database: Database, browser: Browser, path: str) -> int:
    """How many statements are behind a page, which must be shown."""
    with counting(database) as said:
        assert browser.get(path).status_code == 200
    return len(said)


def give_factor(app: Flask, database: Database, email: str) -> pyotp.TOTP:
    """Switch on a second factor; returns the phone."""
    secret = pyotp.random_base32(32)
    with app.app_context():
        sealed = box().seal(secret)
    with database.writing() as writing:
        user = find_user(writing, email)
        assert user is not None
        add_second_factor(writing, user, sealed, 0, email)
    return pyotp.TOTP(secret)


def carried(app: Flask, browser: Browser) -> str:
    """What anybody who has the browser in hand can read in its cookie."""
    cookie = browser.client.get_cookie(app.config["SESSION_COOKIE_NAME"])
    interface = SecureCookieSessionInterface()
    serializer = interface.get_signing_serializer(app)
    assert cookie is not None
    assert serializer is not None
    return str(serializer.loads(cookie.decoded_value))
