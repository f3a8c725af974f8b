"""Admins make, test and end webhooks; the secret is shown once."""

import re

import pytest
from sqlalchemy import event, select

from db.database import Database
from db.schema import AuditRow, DeliveryRow, WebhookRow
from db.settings import Settings
from portal.webhooks import Courier
from portal.webhooks.courier import secret_box
from tests.portal.cast import ADMIN, COURSE
from tests.portal.conftest import Browser
from tests.portal.webhooks.conftest import Hooks, Listener

PAGE = "/admin/webhooks"


@pytest.fixture
def admin(browser: Browser, meeting: int) -> Browser:
    browser.sign_in(ADMIN)
    return browser


def test_a_webhook_is_made_and_its_secret_shown_once(
    admin: Browser, listener: Listener, database: Database, settings: Settings
) -> None:
    values = {"url": listener.url, "course": COURSE, "events": ["entry.changed"]}
    answer = admin.client.post(PAGE, data={"csrf_token": admin.token(PAGE), **values})
    assert answer.status_code == 201
    found = re.search(r"whsec_[\w-]{43}", answer.text)
    assert found is not None
    assert "whsec_" not in admin.get(PAGE).text
    with database.reading() as reading:
        row = reading.scalars(select(WebhookRow)).one()
        noted = reading.scalars(select(AuditRow).where(AuditRow.action == "webhook.added")).one()
    assert found[0] not in row.secret
    assert secret_box(settings).unseal(row.secret) == found[0]
    assert (row.events, noted.actor) == ("entry.changed", ADMIN)
    again = admin.client.post(PAGE, data={"csrf_token": admin.token(PAGE), **values})
    assert again.status_code == 400
    assert "told of this already" in again.text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"url": "", "events": ["entry.changed"]}, "give the address"),
        ({"url": "ftp://x", "events": ["entry.changed"]}, "no address of the web"),
        ({"url": "http://127.0.0.1:9/", "events": []}, "at least one event"),
        ({"url": "http://127.0.0.1:9/", "events": ["entry.changed"], "course": "NONE-1"}, "no course"),
        ({"url": "http://127.0.0.1:9/" + "x" * 500, "events": ["entry.changed"]}, "at most 500"),
    ],
)
def test_a_webhook_that_cannot_be_is_refused_and_what_was_typed_stays(
    admin: Browser, database: Database, values: dict[str, object], told: str
) -> None:
    answer = admin.client.post(PAGE, data={"csrf_token": admin.token(PAGE), **values})
    assert answer.status_code == 400
    text = answer.text.lower()
    assert told in text
    assert f'value="{values["url"]}"' in answer.text
    with database.reading() as reading:
        assert reading.scalars(select(WebhookRow)).all() == []


def test_inside_addresses_take_a_setting(
    admin: Browser, app_without_private: Browser, listener: Listener
) -> None:
    values = {"url": listener.url, "events": ["entry.changed"]}
    other = app_without_private
    answer = other.client.post(PAGE, data={"csrf_token": other.token(PAGE), **values})
    assert answer.status_code == 400
    assert "webhook_private" in answer.text


@pytest.fixture
def app_without_private(settings: Settings, database: Database, meeting: int) -> Browser:
    from portal.app import create_app

    app = create_app(settings.model_copy(update={"webhook_private": False}), database)
    browser = Browser(app.test_client())
    browser.sign_in(ADMIN)
    return browser


def test_a_test_is_sent_seen_and_sent_again(
    admin: Browser, hook: Hooks, listener: Listener, database: Database, settings: Settings
) -> None:
    key = hook()
    listener.answers = [500]
    admin.client.post(f"{PAGE}/{key}/test", data={"csrf_token": admin.token(PAGE)})
    Courier(settings, database).round()
    assert listener.told[0]["event"] == "webhook.test"
    assert "127.0.0.1 answered 500" in admin.get(PAGE).text
    listener.answers = [200]
    with database.reading() as reading:
        message = reading.scalars(select(DeliveryRow)).one()
    admin.client.post(f"{PAGE}/messages/{message.id}/again", data={"csrf_token": admin.token(PAGE)})
    Courier(settings, database).round()
    assert "Answered 200." in admin.get(PAGE).text
    assert listener.told[0]["id"] == listener.told[1]["id"]


def test_a_webhook_is_ended(admin: Browser, hook: Hooks, database: Database, listener: Listener) -> None:
    key = hook()
    admin.client.post(f"{PAGE}/{key}/test", data={"csrf_token": admin.token(PAGE)})
    answer = admin.client.post(f"{PAGE}/{key}/end", data={"csrf_token": admin.token(PAGE)})
    assert answer.status_code == 302
    assert "Nobody is told yet" in admin.get(PAGE).text
    with database.reading() as reading:
        assert reading.scalars(select(DeliveryRow.state)).one() == "given_up"
        assert "webhook.ended" in reading.scalars(select(AuditRow.action)).all()
    assert admin.client.post(f"{PAGE}/{key}/test", data={"csrf_token": admin.token(PAGE)}).status_code == 404


def test_the_page_asks_no_more_when_there_are_more(
    admin: Browser, hook: Hooks, database: Database, listener: Listener
) -> None:
    def statements() -> int:
        asked: list[str] = []

        def note(*args: object) -> None:
            asked.append(str(args[2]))

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            assert admin.get(PAGE).status_code == 200
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        return len(asked)

    hook()
    before = statements()
    for number in range(5):
        key = hook(url=f"{listener.url}&n={number}")
        admin.client.post(f"{PAGE}/{key}/test", data={"csrf_token": admin.token(PAGE)})
    assert statements() <= before <= 12
