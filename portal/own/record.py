"""A student's record: how often they came to each course, the term as a calendar, and every session."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from db.disputes import LONGEST_TEXT, DisputeError, disputes_of, make_dispute
from db.due import due_of_student
from db.errors import NotFoundError
from db.own_crops import is_own_crop, own_crops
from db.own_record import OwnCourse, OwnMark, Tally, courses_of, own_edits, own_marks, tally
from db.report import own_entries
from portal.access import allowed
from portal.desk import desk
from portal.own.calendar import draw_term, term_of
from portal.own.person import person
from portal.session_page import SESSION
from portal.strip import draw_strip
from portal.wording import STATUSES
from portal.workers import takes_long

__all__ = ["pages"]

pages = Blueprint("me", __name__)

ON_A_PAGE = 20
MOST_CROPS = 60
"""Pictures shown of one session; all are in the download."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How often the student came to one course. `back_after`: sessions in a row until the course's limit is met again."""

    course: OwnCourse
    tally: Tally
    is_below: bool
    back_after: int | None


@pages.get("/me")
@allowed("student")
@takes_long
def page() -> ResponseReturnValue:
    me, now = person(), desk().now()
    with desk().database.reading() as reading:
        due = due_of_student(reading, me.student_id)
    for session_id in due:
        desk().follow(session_id)
    with desk().database.reading() as reading:
        marks = own_marks(reading, me.student_id)
        courses = {course.id: course for course in courses_of(reading, me.student_id)}
        chosen = request.args.get("course", "")
        listed = [mark for mark in marks if chosen in {"", mark.course.code}]
        number, last = _page_number(len(listed)), max(1, -(-len(listed) // ON_A_PAGE))
        shown = listed[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
        entries = own_entries(
            reading, me.student_id, [mark.session_id for mark in shown], me.student_no, me.name
        )
    courses = {mark.course.id: mark.course for mark in marks} | courses
    term = term_of(marks, _day(request.args.get("until", ""))) if marks else None
    return render_template(
        "own/record.html",
        standings=_standings(list(courses.values()), marks),
        overall=tally(marks, now),
        # Both escape every text they draw.
        record=[
            (
                mark,
                entries[mark.session_id],
                mark.runs(now),
                Markup(draw_strip(mark, entries[mark.session_id])),
            )
            for mark in shown
            if mark.session_id in entries
        ],
        calendar=None if term is None else Markup(draw_term(term)),
        term=term,
        chosen=chosen,
        number=number,
        last=last,
        sessions=len(listed),
        statuses=STATUSES,
    )


@pages.get(f"/me/sessions/{SESSION}")
@allowed("student")
def session(session_id: int) -> ResponseReturnValue:
    desk().follow(session_id)
    return _session(session_id)


@pages.post(f"/me/sessions/{SESSION}")
@allowed("student")
def dispute(session_id: int) -> ResponseReturnValue:
    me, text = person(), request.form.get("text", "")
    try:
        desk().database.transact(
            lambda writing: make_dispute(writing, session_id, me.student_id, text, me.actor)
        )
    except DisputeError as error:
        return _session(session_id, text, str(error)), 400
    flash("Staff will read it. Their answer appears here.")
    return redirect(url_for(".session", session_id=session_id, _anchor="word"))


@pages.get(f"/me/evidence/<int(max={2**63 - 1}):evidence_id>.jpg")
@allowed("student")
def crop(evidence_id: int) -> ResponseReturnValue:
    me = person()
    with desk().database.reading() as reading:
        if not is_own_crop(reading, me.student_id, evidence_id):
            abort(404)
    return Response(desk().backroom.archive.read(evidence_id), mimetype="image/jpeg")


def _session(session_id: int, text: str = "", refused: str = "") -> str:
    """Raises NotFoundError where the student has no entry in it."""
    me, now = person(), desk().now()
    with desk().database.reading() as reading:
        mark = next(iter(own_marks(reading, me.student_id, session_id)), None)
        if mark is None:
            raise NotFoundError(f"student {me.student_id} has no entry in session {session_id}")
        entry = own_entries(reading, me.student_id, [session_id], me.student_no, me.name)[session_id]
        edits = own_edits(reading, me.student_id, session_id)
        crops = own_crops(reading, me.student_id, session_id)
        disputes = disputes_of(reading, session_id, me.student_id)
    return render_template(
        "own/session.html",
        session=mark,
        entry=entry,
        strip=Markup(draw_strip(mark, entry)),
        running=mark.runs(now),
        edits=edits,
        crops=crops[-MOST_CROPS:],
        left_out=max(0, len(crops) - MOST_CROPS),
        kept_days=desk().settings.evidence_days,
        disputes=disputes,
        waiting=any(one.is_open for one in disputes),
        text=text,
        longest=LONGEST_TEXT,
        refused=refused,
    )


def _standings(courses: list[OwnCourse], marks: list[OwnMark]) -> list[Standing]:
    now, found = desk().now(), []
    for course in sorted(courses, key=lambda one: one.code):
        own = tally([mark for mark in marks if mark.course.id == course.id], now)
        is_below = own.is_below(course.limit)
        back_after = own.needed(course.limit) if is_below and course.limit is not None else None
        found.append(Standing(course, own, is_below, back_after))
    return found


def _page_number(count: int) -> int:
    """The page that is asked for, within those there are."""
    asked = request.args.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else 1
    return min(max(number, 1), max(1, -(-count // ON_A_PAGE)))


def _day(text: str) -> date | None:
    """The day that is asked for; None for what is none, or so far off that no calendar has it."""
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        return None
    return asked if 1970 < asked.year < 9000 else None
