"""Students below the share of sessions that their course expects of them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from db.schema import AttendanceRow, Course, Enrolment, SessionRow, Student
from db.term import ATTENDED, COUNTED

__all__ = ["Shortfall", "named", "shortfalls"]


@dataclass(frozen=True, slots=True)
class Shortfall:
    """`attended` of `counted` sessions, counted as in `db.term`; `limit`: the share that the course expects, 0 to 1."""

    course_id: int
    student_id: int
    attended: int
    counted: int
    limit: float

    @property
    def share(self) -> float:
        return self.attended / self.counted


def shortfalls(session: Session, now: datetime, courses: Collection[int] | None = None) -> list[Shortfall]:
    """Who attended less than their course expects of the sessions that have ended; None: of all courses.

    Furthest below the limit first; who left a roster is not among them. One statement over the entries of the courses that
    have a limit.
    """
    row = AttendanceRow
    attended = func.sum(case((row.status.in_(ATTENDED), 1), else_=0))
    limit = func.max(Course.attendance_limit)
    query = (
        select(
            SessionRow.course_id,
            row.student_id,
            attended.label("attended"),
            func.count().label("counted"),
            limit.label("limit_"),
        )
        .join(SessionRow, SessionRow.id == row.session_id)
        .join(Course, Course.id == SessionRow.course_id)
        .where(Course.attendance_limit.is_not(None), SessionRow.ends_at <= now, row.status.in_(COUNTED))
        .group_by(SessionRow.course_id, row.student_id)
        .having(attended < limit * func.count())
    )
    if courses is not None:
        query = query.where(SessionRow.course_id.in_(courses))
    # The roster is asked about the few that are left, not about every entry.
    found = query.subquery()
    enrolled = select(found).join(
        Enrolment,
        and_(Enrolment.course_id == found.c.course_id, Enrolment.student_id == found.c.student_id),
    )
    lines = [
        Shortfall(course, student, int(came), int(counted), float(expected))
        for course, student, came, counted, expected in session.execute(enrolled)
    ]
    return sorted(lines, key=lambda one: (one.share - one.limit, one.course_id, one.student_id))


def named(session: Session, lines: Collection[Shortfall]) -> dict[tuple[int, int], tuple[str, str, str]]:
    """Course code, student number and name by course and student id, of those lines whose student is on the roster."""
    query = (
        select(Enrolment.course_id, Enrolment.student_id, Course.code, Student.student_no, Student.name)
        .join(Course, Course.id == Enrolment.course_id)
        .join(Student, Student.id == Enrolment.student_id)
        .where(
            Enrolment.course_id.in_({line.course_id for line in lines}),
            Enrolment.student_id.in_({line.student_id for line in lines}),
        )
    )
    return {(course, student): (code, no, name) for course, student, code, no, name in session.execute(query)}
