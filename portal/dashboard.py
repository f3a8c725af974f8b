"""Staff's first page: what runs now, what is planned today, what is open, and who falls short."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from db.due import due_running
from db.report import SessionLine
from db.shortfall import Shortfall, named, shortfalls
from db.today import LastLook, first_steps, last_looks, open_reviews, sessions_today
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.figures import is_running
from portal.live import live_answer
from portal.shortfall_board import board
from portal.sign_in import unattended, viewer

__all__ = ["pages"]

pages = Blueprint("dashboard", __name__)

MOST_RUNNING, MOST_TODAY, MOST_SHORT = 24, 100, 20
QUIET = timedelta(minutes=3)
"""Looks are 20 to 60 seconds apart unless somebody chose otherwise; after so long without one, something is wrong."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session that runs. `minutes_left`: whole ones. `silence`: since the last look, or since the start where there was none.

    `is_quiet`: that is longer than it should be.
    """

    session: SessionLine
    last: LastLook | None
    minutes_left: int
    silence: timedelta
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Short:
    """A student below their course's limit."""

    code: str
    student_no: str
    name: str
    line: Shortfall


@pages.get("/today")
@allowed(*STAFF)
def page() -> ResponseReturnValue:
    courses = _courses()
    told = _now(courses)
    with desk().database.reading() as reading:
        steps = first_steps(reading) if courses is None else None
    short, count = _short(courses)
    return render_template(
        "dashboard/today.html",
        **told,
        steps=None if steps is None or steps.are_done else steps,
        short=short,
        short_count=count,
    )


@pages.get("/today/live.json")
@unattended
@allowed(*STAFF)
def live() -> Response:
    told = _now(_courses())
    parts = {
        name: render_template(f"dashboard/_{name}.html", **told) for name in ("running", "sessions", "open")
    }
    return live_answer(parts)


def _courses() -> frozenset[int] | None:
    user = viewer()
    assert user is not None
    return user.courses


def _now(courses: Collection[int] | None) -> dict[str, Any]:
    """What changes from minute to minute."""
    database, now = desk().database, desk().now()
    with database.reading() as reading:
        due = due_running(reading, now, courses)
    for session_id in due:
        desk().follow(session_id)
    with database.reading() as reading:
        lines = sessions_today(reading, now, courses)
        running = [line for line in lines if is_running(line, now)]
        looks = last_looks(reading, [line.id for line in running[:MOST_RUNNING]]) if running else {}
        reviews, open_count = open_reviews(reading, courses)
    return {
        "running": [_running(line, looks.get(line.id), now) for line in running[:MOST_RUNNING]],
        "running_count": len(running),
        "today": [(line, _state(line, now)) for line in lines[:MOST_TODAY]],
        "today_count": len(lines),
        "reviews": reviews,
        "open_count": open_count,
    }


def _running(line: SessionLine, last: LastLook | None, now: datetime) -> Running:
    silence = max(now - (line.starts_at if last is None else last.taken_at), timedelta())
    usual = timedelta(seconds=(last.usual_s if last is not None else None) or 0)
    left = max(line.ends_at - now, timedelta())
    return Running(line, last, -(-left // timedelta(minutes=1)), silence, silence > max(QUIET, 3 * usual))


def _state(line: SessionLine, now: datetime) -> str:
    if is_running(line, now):
        return "running"
    return "planned" if now < line.starts_at else "over"


def _short(courses: Collection[int] | None) -> tuple[list[Short], int]:
    """Those to show, and how many there are; of the counted ones, some may have left since."""
    database, now = desk().database, desk().now()
    if courses is None:
        lines = board().of_all(database, now)
        with database.reading() as reading:
            people = named(reading, lines[: 2 * MOST_SHORT])
    else:
        with database.reading() as reading:
            lines = shortfalls(reading, now, courses)
            people = named(reading, lines[: 2 * MOST_SHORT])
    found = [
        Short(*people[line.course_id, line.student_id], line)
        for line in lines[: 2 * MOST_SHORT]
        if (line.course_id, line.student_id) in people
    ]
    return found[:MOST_SHORT], len(lines) - len(lines[: 2 * MOST_SHORT]) + len(found)
