"""The admins' page of webhooks: which there are, what was sent to them, and adding, testing and ending one."""

import secrets
from functools import partial
from typing import Any
from uuid import uuid4

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.catalogue import courses_after
from db.errors import GridrollError, NotFoundError, StoreError
from db.people import find_course
from db.webhook_events import body_of
from db.webhooks import (
    EVENTS,
    TEST,
    add_delivery,
    add_webhook,
    count_deliveries,
    end_webhook,
    last_deliveries,
    list_webhooks,
    send_again,
)
from portal.access import allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.sign_in import viewer
from portal.webhooks.courier import secret_box
from portal.webhooks.post import check_url

__all__ = ["pages"]

pages = Blueprint("webhooks", __name__)

KEY = f"<int(max={2**63 - 1}):key>"
MOST_COURSES = 500


@pages.get("/admin/webhooks")
@allowed("admin")
def listing() -> ResponseReturnValue:
    return _page()


@pages.post("/admin/webhooks")
@allowed("admin")
def add() -> ResponseReturnValue:
    url, code = (request.form.get(name, "").strip() for name in ("url", "course"))
    events = [event for event in EVENTS if event in request.form.getlist("events")]
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    try:
        if not url:
            raise PortalError("give the address to send to, e.g. https://example.edu/hook")
        if not events:
            raise PortalError("choose at least one event")
        check_url(url, desk().settings.webhook_private)
        sealed = secret_box(desk().settings).seal(secret)
        desk().database.transact(
            partial(_add, url=url, sealed=sealed, events=events, code=code), idempotent=False
        )
    except StoreError:
        raise
    except GridrollError as error:
        return _page(refused=str(error), url=url, course=code, chosen=events), 400
    # Shown in this very answer: a redirect would have to keep the secret somewhere.
    return _page(secret=secret, secret_of=url), 201


@pages.post(f"/admin/webhooks/{KEY}/test")
@allowed("admin")
def test(key: int) -> ResponseReturnValue:
    user, now, uid = viewer(), desk().now(), str(uuid4())
    assert user is not None
    body = body_of(uid, TEST, now, {"by": user.email})
    desk().database.transact(
        lambda writing: add_delivery(writing, key, TEST, body, uid, now), idempotent=False
    )
    flash("A test is on its way; load the page again to see what came of it.")
    return redirect(url_for(".listing", _anchor="messages"))


@pages.post(f"/admin/webhooks/{KEY}/end")
@allowed("admin")
def end(key: int) -> ResponseReturnValue:
    user, now = viewer(), desk().now()
    assert user is not None
    ended = desk().database.transact(lambda writing: end_webhook(writing, key, now, user.email))
    flash("The webhook has ended; nothing more is sent to it." if ended else "The webhook had ended before.")
    return redirect(url_for(".listing"))


@pages.post(f"/admin/webhooks/messages/{KEY}/again")
@allowed("admin")
def again(key: int) -> ResponseReturnValue:
    now = desk().now()
    desk().database.transact(lambda writing: send_again(writing, key, now))
    flash("The message is sent again.")
    return redirect(url_for(".listing", _anchor="messages"))


def _add(writing: Session, url: str, sealed: str, events: list[str], code: str) -> None:
    user = viewer()
    assert user is not None
    owner = find_user(writing, user.email)
    assert owner is not None
    try:
        course = find_course(writing, code) if code else None
    except NotFoundError as error:
        raise PortalError(f"there is no course {code[:64]!r}; choose one of the list") from error
    add_webhook(writing, url, sealed, events, owner, desk().now(), course, user.email)


def _page(**shown: Any) -> str:
    with desk().database.reading() as reading:
        hooks = list_webhooks(reading)
        counts = count_deliveries(reading)
        messages = last_deliveries(reading)
        courses = [course.code for course in courses_after(reading, None, MOST_COURSES)]
    return render_template(
        "webhooks/webhooks.html",
        hooks=hooks,
        counts=counts,
        messages=messages,
        urls={hook.id: hook.url for hook in hooks},
        courses=courses,
        events=EVENTS,
        private=desk().settings.webhook_private,
        **shown,
    )
