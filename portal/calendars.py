"""Sessions in people's own calendars: links that hold a secret, and the file that such a link gives."""

from datetime import datetime, timedelta

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from icalendar import Calendar, Event
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.agenda import CalendarLine, calendar_lines
from db.errors import GridrollError, StoreError
from db.instructors import course_ids_of
from db.people import enrolled_in
from db.schema import TokenRow
from db.tokens import add_token, find_token, list_tokens, revoke_token, touch_token
from portal.access import EVERYBODY, allowed, public
from portal.bearer import LONGEST, PREFIX, TOUCHED_EVERY, hash_token, new_token
from portal.desk import desk
from portal.errors import PortalError
from portal.paths import public_address, public_host
from portal.sign_in import Viewer, viewer
from portal.told_once import tell_once, told_once

__all__ = ["pages"]

pages = Blueprint("calendar", __name__)

SCOPE = "calendar"
SHOWN = "calendar link"
MOST_LINKS = 10
PAST, FUTURE = timedelta(days=90), timedelta(days=366)


@pages.get("/calendar")
@allowed(*EVERYBODY)
def page() -> ResponseReturnValue:
    return _page()


@pages.post("/calendar")
@allowed(*EVERYBODY)
def make() -> ResponseReturnValue:
    user, token = _user(), new_token()
    name = " ".join(request.form.get("name", "").split()) or "Calendar"
    try:
        with desk().database.writing() as writing:
            owner = find_user(writing, user.email)
            if owner is None:
                abort(404)
            held = [one for one in list_tokens(writing, owner.id) if _is_link(one.scopes, one.revoked_at)]
            if len(held) >= MOST_LINKS:
                raise PortalError(f"you have {MOST_LINKS} links, which is as many as fit; end one first")
            add_token(writing, name, hash_token(token), [SCOPE], owner, actor=user.actor)
    except StoreError:
        raise
    except GridrollError as error:
        return _page(name, str(error)), 400
    tell_once(SHOWN, token)
    return redirect(url_for(".page"))


@pages.post(f"/calendar/<int(max={2**63 - 1}):link_id>/end")
@allowed(*EVERYBODY)
def end(link_id: int) -> ResponseReturnValue:
    user = _user()
    with desk().database.writing() as writing:
        # Of what is another's, or another kind of token, nothing is told.
        mine = {one.id for one in list_tokens(writing, user.user_id) if SCOPE in one.scopes.split()}
        if link_id not in mine:
            abort(404)
        revoke_token(writing, link_id, user.actor)
    flash("The link gives nothing any more.")
    return redirect(url_for(".page"))


@pages.get("/calendar/<string(maxlength=200):token>.ics")
@public
def feed(token: str) -> Response:
    if not token.startswith(PREFIX) or len(token) > LONGEST:
        abort(404)
    database, now = desk().database, desk().now()
    with database.reading() as reading:
        row = find_token(reading, hash_token(token), now)
        if row is None or SCOPE not in row.scopes.split():
            abort(404)
        courses = _reached(reading, row)
        lines = calendar_lines(reading, courses, now, now - PAST, now + FUTURE)
        token_id, last_used_at = row.id, row.last_used_at
    if last_used_at is None or now - last_used_at > TOUCHED_EVERY:
        database.transact(lambda writing: touch_token(writing, token_id, now, TOUCHED_EVERY))
    response = make_response(_calendar(lines))
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Content-Disposition"] = 'inline; filename="gridroll.ics"'
    return response


def _reached(reading: Session, row: TokenRow) -> frozenset[int] | None:
    """The courses whose sessions the link shows; None: all."""
    courses: frozenset[int] | None = None
    if row.user.role == "instructor":
        courses = course_ids_of(reading, row.user_id)
    elif row.user.role == "student":
        student = row.user.student_id
        courses = frozenset() if student is None else enrolled_in(reading, student)
    if row.course_id is None:
        return courses
    return frozenset({row.course_id}) if courses is None else courses & {row.course_id}


def _calendar(lines: list[CalendarLine]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Gridroll//Sessions//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Classes (Gridroll)")
    calendar.add("refresh-interval", timedelta(hours=1), {"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    now, host = desk().now().replace(microsecond=0), public_host()
    for line in lines:
        event = Event()
        # The same for as long as the session exists, so that one that is moved is not shown twice.
        event.add("uid", f"session-{line.id}@{host}")
        event.add("dtstamp", now)
        event.add("dtstart", line.starts_at)
        event.add("dtend", line.ends_at)
        event.add("summary", line.course if line.title == line.course else f"{line.course}: {line.title}")
        event.add("categories", [line.course])
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _page(name: str = "", refused: str = "") -> str:
    user, token = _user(), told_once(SHOWN)
    link = None if token is None else public_address(url_for(".feed", token=token))
    with desk().database.reading() as reading:
        links = [one for one in list_tokens(reading, user.user_id) if _is_link(one.scopes, one.revoked_at)]
    return render_template(
        "calendar/page.html", links=links, link=link, name=name, refused=refused, most=MOST_LINKS
    )


def _is_link(scopes: str, revoked_at: datetime | None) -> bool:
    return SCOPE in scopes.split() and revoked_at is None


def _user() -> Viewer:
    user = viewer()
    assert user is not None
    return user
