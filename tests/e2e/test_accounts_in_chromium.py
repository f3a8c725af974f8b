"""An account's life in a real browser: invited, with a second factor, signed in with its code, and let in no more."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from db.database import make_database
from db.settings import Settings
from portal.accounts.setup import offer_setup
from portal.app import create_app
from tests.e2e.browsing import fits, served, visiting

CARLA, ADMIN, PASSWORD = "carla@example.edu", "admin@example.edu", "a few words in a row"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings = Settings(home=tmp_path)
    database = make_database(settings.resolved_database_url)
    yield create_app(settings, database)
    database.close()


def test_from_the_first_admin_to_somebody_with_a_second_factor(chromium: Browser, app: Flask) -> None:
    setup = offer_setup(app)
    with (
        served(app) as url,
        visiting(chromium, url, 1440, "light") as (page, console),
        visiting(chromium, url, 390, "dark") as (phone, phone_console),
    ):
        # Whoever started the portal makes the first account, and with it another one.
        page.goto(f"{setup}")
        page.get_by_label("Your e-mail address").fill(ADMIN)
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_label("The same once more").fill(PASSWORD)
        page.get_by_role("button", name="Make the account").click()
        expect(page.get_by_role("status")).to_have_text("Your account is made. Sign in with it.")
        page.get_by_label("E-mail address").fill(ADMIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.goto("/admin/users/new")
        page.get_by_role("textbox", name="E-mail address").fill(CARLA)
        page.get_by_role("radio", name="Staff").check()
        page.get_by_role("button", name="Add and make a link").click()
        expect(page.get_by_text("Invited")).to_be_visible()
        link = re.search(r"/reset/[\w-]+", page.locator(".secret").inner_text())
        assert link is not None

        # She sets her password on her phone, and a second factor.
        phone.goto(link[0])
        phone.get_by_label("New password").fill(PASSWORD)
        phone.get_by_label("The same once more").fill(PASSWORD)
        phone.get_by_role("button", name="Set the password").click()
        phone.get_by_label("E-mail address").fill(CARLA)
        phone.get_by_label("Password").fill(PASSWORD)
        phone.get_by_role("button", name="Sign in").click()
        expect(phone.get_by_role("button", name="Sign out")).to_be_visible()
        phone.get_by_role("button", name="Menu").click()
        phone.get_by_role("link", name="My account").click()
        phone.get_by_role("link", name="Switch it on").click()
        assert (
            phone.locator(".qr").evaluate("picture => picture.decode().then(() => picture.naturalWidth)")
            > 150
        )
        phone.get_by_text("Type it instead").click()
        codes = pyotp.TOTP(phone.locator(".spelled").inner_text().replace(" ", ""))
        phone.get_by_label("The six digits").fill(codes.now())
        phone.get_by_label("Your password").fill(PASSWORD)
        phone.get_by_role("button", name="Switch it on").click()
        expect(phone.get_by_role("status")).to_contain_text("asks for a code")
        assert fits(phone)

        # From then on the password alone opens nothing.
        phone.get_by_role("button", name="Sign out").click()
        phone.get_by_label("E-mail address").fill(CARLA)
        phone.get_by_label("Password").fill(PASSWORD)
        phone.get_by_role("button", name="Sign in").click()
        expect(phone.get_by_role("heading", name="Your code")).to_be_visible()
        assert fits(phone)
        phone.goto("/account")
        expect(phone).to_have_url(re.compile("/login"))
        phone.goto("/login/code")
        # The code before was taken; a phone whose clock is a little ahead shows the next.
        phone.get_by_label("Code").fill(codes.generate_otp(int(time.time()) // 30 + 1))
        phone.get_by_role("button", name="Sign in").click()
        expect(phone.get_by_role("button", name="Sign out")).to_be_visible()
        phone.goto("/account")
        assert phone_console.take() == []

        # An admin lets her in no more.
        page.reload()
        page.get_by_label(re.compile("^Reason .required")).last.fill("left")
        page.get_by_role("button", name="Deactivate").click()
        expect(page.get_by_role("status")).to_contain_text("can no longer sign in")
        assert console.take() == []
        phone.reload()
        expect(phone.get_by_role("heading", name="Please sign in")).to_be_visible()
