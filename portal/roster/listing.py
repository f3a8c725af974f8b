"""Who is on a course's roster, as a page and as a file, and taking somebody off it."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.people import find_course
from db.roster import Member, lock_course, members_of, remove_from_roster, standings
from db.schema import Course
from portal.access import STAFF, allowed
from portal.courses.blueprint import Refusal, user
from portal.desk import desk
from portal.moments import local
from portal.report_files import safe_text
from portal.roster.blueprint import ROSTER, pages
from portal.workers import takes_long

__all__ = ["COLUMNS", "download", "member", "page", "remove", "roster_page", "template"]

COLUMNS = ("student_no", "name", "email", "enrolled_on")
PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the roster that is shown. `number` counts from 1; `found`: how many match `wanted`, of all `total`."""

    wanted: str
    members: list[Member]
    number: int
    pages: int
    found: int
    total: int


@pages.get(ROSTER)
@allowed(*STAFF)
@takes_long
def page(code: str) -> ResponseReturnValue:
    return roster_page(code)


@pages.get(f"{ROSTER}/<string(maxlength=64):student_no>/remove")
@allowed(*STAFF)
def member(code: str, student_no: str) -> ResponseReturnValue:
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        found = _member(reading, course, student_no)
    return render_template("roster/member.html", course=course, member=found)


@pages.post(f"{ROSTER}/<string(maxlength=64):student_no>/remove")
@allowed(*STAFF)
def remove(code: str, student_no: str) -> ResponseReturnValue:
    reason = " ".join(request.form.get("reason", "").split())[:2000]

    def work(writing: Session) -> None:
        remove_from_roster(writing, lock_course(writing, code), [student_no], user().email, reason)

    desk().database.transact(work)
    flash("The student is off the roster. What is on record of them stays.")
    return redirect(url_for(".page", code=code))


@pages.get(f"{ROSTER}.csv")
@allowed(*STAFF)
@takes_long
def download(code: str) -> Response:
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        members = members_of(reading, course.id)
    rows = [
        (
            one.student_no,
            one.name,
            one.email,
            _day(one, course.time_zone).isoformat() if one.enrolled_at else "",
        )
        for one in members
    ]
    return _csv(rows, f"roster-{_stem(code)}.csv")


@pages.get(f"{ROSTER}/template.csv")
@allowed(*STAFF)
def template(code: str) -> Response:
    del code
    rows = [
        ("2026-0001", "Ada Example", "ada@example.edu", ""),
        ("2026-0002", "Ben Example", "ben@example.edu", "2026-11-20"),
    ]
    return _csv(rows, "roster-template.csv")


def roster_page(code: str, refusal: Refusal | None = None) -> str:
    """`refusal`: of the file that was handed in."""
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        members = members_of(reading, course.id, standings(reading, course.id, desk().now()))
    return render_template(
        "roster/page.html",
        course=course,
        part=_part(members, request.args.get("q", "").strip()[:200], request.args.get("page", "1")),
        below=sum(is_below(one, course) for one in members),
        is_below=partial(is_below, course=course),
        refusal=refusal,
    )


def is_below(one: Member, course: Course) -> bool:
    limit = course.attendance_limit
    return limit is not None and one.share is not None and one.share < limit


def _part(members: list[Member], wanted: str, number: str) -> Part:
    sought = wanted.casefold()
    found = [one for one in members if sought in f"{one.student_no}\n{one.name}\n{one.email}".casefold()]
    count = max(1, -(-len(found) // PER_PAGE))
    chosen = min(int(number), count) if number.isascii() and number.isdecimal() and len(number) < 6 else 1
    chosen = max(chosen, 1)
    shown = found[(chosen - 1) * PER_PAGE : chosen * PER_PAGE]
    return Part(wanted, shown, chosen, count, len(found), len(members))


def _member(reading: Session, course: Course, student_no: str) -> Member:
    """Raises NotFoundError."""
    for one in members_of(reading, course.id):
        if one.student_no == student_no:
            return one
    raise NotFoundError(f"student {student_no!r} is not on the roster of {course.code}")


def _day(one: Member, time_zone: str) -> date:
    assert one.enrolled_at is not None
    return local(one.enrolled_at, time_zone).date()


def _stem(code: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", code).strip("-") or "course"


def _csv(rows: Sequence[tuple[str, ...]], name: str) -> Response:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    writer.writerows([[safe_text(cell) for cell in row] for row in rows])
    # Spreadsheets read UTF-8 as such only behind a byte order mark.
    response = make_response(written.getvalue().encode("utf-8-sig"))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
