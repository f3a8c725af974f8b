"""Links that set a password: asked for by mail, or made by an admin."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.schema import LinkRow, ThrottleRow
from db.settings import Settings
from portal.accounts.limits import FORGOTTEN, PASSWORDS
from portal.app import close_app, create_app, public_url
from portal.desk import desk_of
from portal.sign_in import hash_of
from tests.conftest import free_port
from tests.portal.accounts.conftest import Clock, user_of
from tests.portal.cast import ADMIN, PASSWORD, STAFF, STUDENT_A, STUDENT_B
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

NEW = "another horse battery"
SAID = "If there is an account of that address"


class Postbox:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    box = Postbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    yield box, server.port
    server.stop()


@pytest.fixture
def mailing(settings: Settings, database: Database, postbox: tuple[Postbox, int]) -> Iterator[Flask]:
    """A portal that sends mail."""
    url = f"smtp://127.0.0.1:{postbox[1]}"
    app = create_app(
        settings.model_copy(update={"smtp_url": url, "portal_url": "https://roll.example.edu/"}), database
    )
    yield app
    close_app(app)


def ask(browser: Browser, email: str, at: str = "http://localhost") -> int:
    found = re.search(r'"csrf_token" value="([^"]+)"', browser.client.get("/forgot", base_url=at).text)
    assert found is not None
    form = {"csrf_token": found[1], "email": email}
    return browser.client.post("/forgot", data=form, base_url=at).status_code


def set_password(browser: Browser, path: str, password: str = NEW, again: str = NEW) -> int:
    form = {"csrf_token": browser.token(path), "password": password, "again": again}
    return browser.client.post(path, data=form).status_code


def link_in(message: Message) -> str:
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    found = re.search(r"https://roll\.example\.edu(/reset/\S+)", body.decode())
    assert found is not None
    return found[1]


def test_a_forgotten_password_is_set_anew_by_the_link_of_a_mail(
    mailing: Flask, postbox: tuple[Postbox, int], database: Database
) -> None:
    browser, elsewhere = Browser(mailing.test_client()), Browser(mailing.test_client())
    elsewhere.sign_in(ADMIN)
    # Nothing that a request claims gets into the link.
    assert ask(browser, f" {ADMIN.upper()} ", "http://evil.example") == 302
    assert SAID in browser.client.get("/login", base_url="http://evil.example").text
    desk_of(mailing).errands.close()
    (message,) = postbox[0].messages
    assert message["To"] == ADMIN
    path = link_in(message)
    with database.reading() as reading:
        assert reading.scalars(select(LinkRow.token_hash)).one() == hash_of(path.removeprefix("/reset/"))

    assert browser.get(path).status_code == browser.get(path).status_code == 200, "looking uses nothing up"
    assert set_password(browser, path, "short", "short") == 400
    assert set_password(browser, path, NEW, "something else") == 400
    assert set_password(browser, path) == 302
    assert browser.get(path).status_code == 404
    assert elsewhere.get("/sessions").status_code == 401, "whoever was signed in no longer is"
    assert Browser(mailing.test_client()).sign_in(ADMIN, PASSWORD).status_code == 401
    assert Browser(mailing.test_client()).sign_in(ADMIN, NEW).status_code == 302


def test_who_has_no_account_gets_the_same_answer_and_no_mail(
    mailing: Flask, postbox: tuple[Postbox, int], database: Database
) -> None:
    with database.writing() as writing:
        writing.get_one(type(user_of(database, STAFF)), user_of(database, STAFF).id).active = False
    pages = set()
    for email in (ADMIN, STAFF, "nobody@example.edu"):
        browser = Browser(mailing.test_client())
        assert ask(browser, email) == 302
        pages.add(re.sub(r'(csrf_token" value=)"[^"]+"', "", browser.get("/login").text))
    assert len(pages) == 1
    desk_of(mailing).errands.close()
    assert [message["To"] for message in postbox[0].messages] == [ADMIN]


def test_nobody_is_flooded_with_mail(mailing: Flask, postbox: tuple[Postbox, int]) -> None:
    for email in (ADMIN, "nobody@example.edu"):
        statuses = [ask(Browser(mailing.test_client()), email) for _ in range(FORGOTTEN.tries + 1)]
        assert statuses == [302] * FORGOTTEN.tries + [429]
    desk_of(mailing).errands.close()
    assert len(postbox[0].messages) == FORGOTTEN.tries


def test_a_mail_server_that_is_away_changes_no_answer(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"smtp://127.0.0.1:{free_port()}"
    app = create_app(settings.model_copy(update={"smtp_url": url}), database)
    assert ask(Browser(app.test_client()), ADMIN) == 302
    close_app(app)
    assert "cannot reach the mail server" in caplog.text


@pytest.mark.parametrize("email", ["", "ada", "x" * 500])
def test_what_is_no_address_is_named(mailing: Flask, email: str) -> None:
    browser = Browser(mailing.test_client())
    form = {"csrf_token": browser.token("/forgot"), "email": email}
    answer = browser.client.post("/forgot", data=form)
    assert answer.status_code == 400
    assert "is no e-mail address" in answer.text


def test_a_portal_without_a_mail_server_says_whom_to_ask(browser: Browser) -> None:
    assert "Ask an admin" in browser.get("/forgot").text
    form = {"csrf_token": browser.token("/login"), "email": ADMIN}
    assert "Ask an admin" in browser.client.post("/forgot", data=form).text


def test_a_link_that_an_admin_makes_is_shown_once_and_good_for_an_hour(
    app: Flask, browser: Browser, other: Browser, database: Database, clock: Clock
) -> None:
    browser.sign_in(ADMIN)
    path = f"/admin/users/{user_of(database, STUDENT_A).id}"
    links = []
    for _ in range(3):
        assert browser.client.post(f"{path}/link", data={"csrf_token": browser.token(path)}).location == path
        page = browser.get(path).text
        found = re.search(r"http://127\.0\.0\.1:8080(/reset/[\w-]+)", page)
        assert found is not None
        links.append(found[1])
        assert "/reset/" not in browser.get(path).text
    clock.put(minutes=59)
    assert other.get(links[0]).status_code == 200
    assert set_password(other, links[1]) == 302
    assert other.get(links[0]).status_code == 404, "using one ends the others"
    assert other.sign_in(STUDENT_A, NEW).status_code == 302


def test_a_link_whose_time_is_over_sets_nothing(
    app: Flask, browser: Browser, other: Browser, database: Database, clock: Clock
) -> None:
    browser.sign_in(ADMIN)
    path = f"/admin/users/{user_of(database, STUDENT_A).id}"
    browser.client.post(f"{path}/link", data={"csrf_token": browser.token(path)})
    found = re.search(r"/reset/[\w-]+", browser.get(path).text)
    assert found is not None
    form = {"csrf_token": other.token(found[0]), "password": NEW, "again": NEW}
    clock.put(minutes=60)
    answer = other.client.post(found[0], data=form)
    assert (answer.status_code, "no longer good" in answer.text) == (404, True)
    assert other.sign_in(STUDENT_A).status_code == 302


def test_a_new_password_by_a_link_ends_the_wait_of_its_account_only(
    app: Flask, browser: Browser, other: Browser, database: Database, clock: Clock
) -> None:
    browser.sign_in(ADMIN)
    path = f"/admin/users/{user_of(database, STUDENT_A).id}"
    browser.client.post(f"{path}/link", data={"csrf_token": browser.token(path)})
    found = re.search(r"/reset/[\w-]+", browser.get(path).text)
    assert found is not None
    for email in (STUDENT_A, STUDENT_B):
        statuses = [other.sign_in(email, "a wrong guess").status_code for _ in range(PASSWORDS.tries + 1)]
        assert statuses == [401] * PASSWORDS.tries + [429]
    with database.reading() as reading:
        most = max(reading.scalars(select(ThrottleRow.tries)))
    assert set_password(other, found[0]) == 302
    with database.reading() as reading:
        counted = sorted(reading.scalars(select(ThrottleRow.tries)))
    assert counted == [PASSWORDS.tries, most], "the other account's, and the address's"
    assert other.sign_in(STUDENT_B).status_code == 429
    assert other.sign_in(STUDENT_A, NEW).status_code == 302


@pytest.mark.parametrize(
    ("changed", "listens_at", "url"),
    [
        ({}, "", "http://127.0.0.1:8080"),
        ({"portal_https": True, "portal_host": "::1"}, "", "https://[::1]:8080"),
        ({}, "http://127.0.0.1:4711", "http://127.0.0.1:4711"),
        ({"portal_url": "https://roll.example.edu"}, "http://127.0.0.1:4711", "https://roll.example.edu"),
    ],
)
def test_links_lead_to_where_people_reach_the_portal(
    settings: Settings, changed: dict[str, object], listens_at: str, url: str
) -> None:
    assert public_url(settings.model_copy(update=changed), listens_at) == url
