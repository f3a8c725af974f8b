"""When a course meets every week."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.people import find_course
from db.planning import AHEAD
from db.timetable import add_slot, change_slot, find_slot, remove_slot, slots_of
from portal.access import STAFF, allowed
from portal.courses.blueprint import COURSE, Refusal, attempt, pages, user
from portal.courses.forms import SlotForm
from portal.courses.words import WEEKDAYS
from portal.desk import desk
from portal.moments import local

__all__ = ["add", "remove_from_timetable", "save_slot", "slot", "timetable"]

SLOT = f"{COURSE}/timetable/<int(max={2**63 - 1}):slot_id>"


@pages.get(f"{COURSE}/timetable")
@allowed(*STAFF)
def timetable(code: str) -> ResponseReturnValue:
    return _timetable(code)


@pages.post(f"{COURSE}/timetable")
@allowed(*STAFF)
def add(code: str) -> ResponseReturnValue:
    form, now = SlotForm.sent(request.form), desk().now()

    def work(writing: Session) -> None:
        add_slot(writing, find_course(writing, code), form.slot(), user().email, now)

    refusal = attempt(work)
    if refusal is not None:
        return _timetable(code, form, refusal), refusal.status
    flash("The slot is on the timetable, and its sessions of the next two weeks are planned.")
    return redirect(url_for(".timetable", code=code))


@pages.get(SLOT)
@allowed(*STAFF)
def slot(code: str, slot_id: int) -> ResponseReturnValue:
    return _slot(code, slot_id)


@pages.post(SLOT)
@allowed(*STAFF)
def save_slot(code: str, slot_id: int) -> ResponseReturnValue:
    form, now = SlotForm.sent(request.form), desk().now()

    def work(writing: Session) -> None:
        course = find_course(writing, code)
        change_slot(writing, course, slot_id, form.slot(), form.mark, user().email, now)

    refusal = attempt(work)
    if refusal is not None:
        return _slot(code, slot_id, form, refusal), refusal.status
    flash("The slot is saved. Its sessions to come were moved with it, but for those that somebody changed.")
    return redirect(url_for(".timetable", code=code))


@pages.post(f"{SLOT}/remove")
@allowed(*STAFF)
def remove_from_timetable(code: str, slot_id: int) -> ResponseReturnValue:
    email, now = user().email, desk().now()
    removed = desk().database.transact(
        lambda writing: remove_slot(writing, find_course(writing, code), slot_id, email, now),
        idempotent=False,
    )
    sessions = "1 session" if removed == 1 else f"{removed} sessions"
    flash(f"The slot is off the timetable, and {sessions} to come with it.")
    return redirect(url_for(".timetable", code=code))


def _timetable(code: str, form: SlotForm | None = None, refusal: Refusal | None = None) -> str:
    now = desk().now()
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        slots = slots_of(reading, course.id)
    today = local(now, course.time_zone).date().isoformat()
    return render_template(
        "courses/timetable.html",
        course=course,
        slots=slots,
        form=form or SlotForm(minutes="90", from_on=today),
        refusal=refusal,
        weekdays=WEEKDAYS,
        today=today,
        days_ahead=AHEAD.days,
        now=now,
    )


def _slot(code: str, slot_id: int, form: SlotForm | None = None, refusal: Refusal | None = None) -> str:
    """Raises NotFoundError."""
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        row = find_slot(reading, course.id, slot_id)
    held = SlotForm.of(row)
    return render_template(
        "courses/slot.html",
        course=course,
        slot=row,
        held=held,
        form=form or held,
        mark=held.mark,
        refusal=refusal,
        weekdays=WEEKDAYS,
        now=desk().now(),
    )
