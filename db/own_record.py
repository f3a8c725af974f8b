"""A student's own record, as they see it: their courses, what became of each session, and the entries in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.edits import history_of
from db.entries import Said
from db.schema import AttendanceRow, Course, Enrolment, SessionRow
from db.term import ATTENDED, COUNTED

__all__ = ["OwnCourse", "OwnEdit", "OwnMark", "Tally", "courses_of", "own_edits", "own_marks", "tally"]


@dataclass(frozen=True, slots=True)
class OwnCourse:
    """A course that the student is on, or has entries of. `limit`: the share below which they are warned; None: none."""

    id: int
    code: str
    title: str
    time_zone: str
    limit: float | None


@dataclass(frozen=True, slots=True)
class OwnMark:
    """What became of one session for the student."""

    session_id: int
    course: OwnCourse
    title: str
    starts_at: datetime
    ends_at: datetime
    status: str

    @property
    def time_zone(self) -> str:
        return self.course.time_zone

    def runs(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True)
class OwnEdit:
    """What staff wrote over an entry, and when; who and why is theirs."""

    said: Said
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """`attended` of `counted` sessions; excused, unverified and running ones are not counted."""

    attended: int
    counted: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where no session counts."""
        return self.attended / self.counted if self.counted else None

    def is_below(self, limit: float | None) -> bool:
        return limit is not None and self.share is not None and self.share < limit

    def needed(self, limit: float) -> int | None:
        """Sessions to be attended in a row until the share is the limit again; None: no number of them does it."""
        if limit >= 1 and self.attended < self.counted:
            return None
        more = 0
        while self.counted and (self.attended + more) / (self.counted + more) < limit:
            more += 1
        return more


def own_marks(session: Session, student_id: int, session_id: int | None = None) -> list[OwnMark]:
    """Every session that the student has an entry of, newest first; with a `session_id` that one, if they have."""
    row, course = SessionRow, Course
    query = (
        # Plain columns: a student has hundreds of sessions, and objects would take several times as long.
        select(
            *(row.id, row.title, row.starts_at, row.ends_at, AttendanceRow.status),
            *(course.id, course.code, course.title, course.time_zone, course.attendance_limit),
        )
        .join(AttendanceRow, AttendanceRow.session_id == row.id)
        .join(course, course.id == row.course_id)
        .where(AttendanceRow.student_id == student_id)
    )
    if session_id is not None:
        query = query.where(AttendanceRow.session_id == session_id)
    courses: dict[int, OwnCourse] = {}
    found = []
    for key, title, starts_at, ends_at, status, of, code, name, zone, limit in session.execute(query):
        known = courses.setdefault(of, OwnCourse(of, code, name or "", zone, limit))
        found.append(OwnMark(key, known, title, starts_at, ends_at, status))
    return sorted(found, key=lambda mark: (mark.starts_at, mark.session_id), reverse=True)


def courses_of(session: Session, student_id: int) -> list[OwnCourse]:
    """The courses that the student is on, in the order of their codes."""
    query = select(Course).join(Enrolment).where(Enrolment.student_id == student_id).order_by(Course.code)
    return [
        OwnCourse(row.id, row.code, row.title or "", row.time_zone, row.attendance_limit)
        for row in session.scalars(query)
    ]


def own_edits(session: Session, student_id: int, session_id: int) -> list[OwnEdit]:
    """What staff wrote over one entry, oldest first. Remarks are theirs, and so is an edit that changed nothing else."""
    found, before = [], Said()
    for row in history_of(session, session_id, student_id):
        said = Said(row.status, row.joined_at, row.last_seen_at, row.minutes)
        if said != before:
            found.append(OwnEdit(said, row.made_at))
        before = said
    return found


def tally(marks: Sequence[OwnMark], now: datetime) -> Tally:
    ended = [mark.status for mark in marks if not mark.runs(now)]
    return Tally(sum(word in ATTENDED for word in ended), sum(word in COUNTED for word in ended))
