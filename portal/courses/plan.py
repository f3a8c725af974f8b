"""Single sessions to come: planned, changed until they begin, removed while nothing is on record of them."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.people import find_course
from db.planning import change_session, is_bare, plan_session, remove_session
from db.sessions import find_session
from portal.access import STAFF, allowed
from portal.courses.blueprint import COURSE, Refusal, attempt, pages, user
from portal.courses.forms import SessionForm
from portal.desk import desk
from portal.moments import local
from portal.session_page import SESSION

__all__ = ["change_planned", "new_session", "plan", "planned", "remove_planned"]


@pages.get(f"{COURSE}/plan")
@allowed(*STAFF)
def new_session(code: str) -> ResponseReturnValue:
    return _new(code)


@pages.post(f"{COURSE}/plan")
@allowed(*STAFF)
def plan(code: str) -> ResponseReturnValue:
    form, now = SessionForm.sent(request.form), desk().now()

    def work(writing: Session) -> None:
        course = find_course(writing, code)
        plan_session(writing, code, actor=user().email, now=now, **form.planned(course.time_zone))

    refusal = attempt(work)
    if refusal is not None:
        return _new(code, form, refusal), refusal.status
    flash("The session is planned.")
    return redirect(url_for(".page", code=code))


@pages.get(f"/sessions/{SESSION}/plan")
@allowed(*STAFF)
def planned(session_id: int) -> ResponseReturnValue:
    return _planned(session_id)


@pages.post(f"/sessions/{SESSION}/plan")
@allowed(*STAFF)
def change_planned(session_id: int) -> ResponseReturnValue:
    form, now = SessionForm.sent(request.form), desk().now()

    def work(writing: Session) -> None:
        row = find_session(writing, session_id)
        wanted = form.planned(row.course.time_zone)
        change_session(writing, session_id, mark=form.mark, actor=user().email, now=now, **wanted)

    refusal = attempt(work)
    if refusal is not None:
        return _planned(session_id, form, refusal), refusal.status
    flash("The session is saved.")
    return redirect(url_for(".planned", session_id=session_id))


@pages.post(f"/sessions/{SESSION}/remove")
@allowed(*STAFF)
def remove_planned(session_id: int) -> ResponseReturnValue:
    with desk().database.reading() as reading:
        code = find_session(reading, session_id).course.code
    reason = " ".join(request.form.get("reason", "").split())[:2000]
    refusal = attempt(
        lambda writing: remove_session(writing, session_id, user().email, reason), idempotent=False
    )
    if refusal is not None:
        return _planned(session_id, refusal=refusal), refusal.status
    flash("The session is removed.")
    return redirect(url_for(".page", code=code))


def _new(code: str, form: SessionForm | None = None, refusal: Refusal | None = None) -> str:
    now = desk().now()
    with desk().database.reading() as reading:
        course = find_course(reading, code)
    today = local(now, course.time_zone).date().isoformat()
    return render_template(
        "courses/session.html",
        course=course,
        form=form or SessionForm(day=today, minutes="90"),
        session=None,
        refusal=refusal,
        now=now,
    )


def _planned(session_id: int, form: SessionForm | None = None, refusal: Refusal | None = None) -> str:
    """Raises NotFoundError."""
    now = desk().now()
    with desk().database.reading() as reading:
        row = find_session(reading, session_id)
        bare = is_bare(reading, session_id)
    held = SessionForm.of(row)
    return render_template(
        "courses/session.html",
        course=row.course,
        form=form or held,
        held=held,
        mark=held.mark,
        session=row,
        bare=bare,
        begun=row.starts_at <= now,
        refusal=refusal,
        now=now,
    )
