"""Courses in a list, each with how many of those who were expected came."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from db.schema import AttendanceRow, Course, Enrolment, SessionRow
from db.term import ATTENDED, COUNTED

__all__ = ["CourseShare", "course_shares"]


@dataclass(frozen=True, slots=True)
class CourseShare:
    """`sessions` have begun, the last one at `last_at`. `attended` of `counted` entries in those that ended."""

    code: str
    title: str | None
    time_zone: str
    students: int
    sessions: int
    last_at: datetime | None
    attended: int
    counted: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where nothing counts."""
        return self.attended / self.counted if self.counted else None


def course_shares(
    session: Session,
    now: datetime,
    courses: Collection[int] | None = None,
    text: str = "",
    offset: int = 0,
    limit: int = 50,
) -> list[CourseShare]:
    """Of these courses (None: all) those whose code or title holds the text, in the order of their codes."""
    query = select(Course.id, Course.code, Course.title, Course.time_zone)
    if courses is not None:
        query = query.where(Course.id.in_(courses))
    if text:
        wanted = text.lower()
        query = query.where(
            or_(
                func.lower(Course.code).contains(wanted, autoescape=True),
                func.lower(Course.title).contains(wanted, autoescape=True),
            )
        )
    rows = session.execute(query.order_by(Course.code).offset(offset).limit(limit)).all()
    ids = [row.id for row in rows]
    enrolled = select(Enrolment.course_id, func.count()).where(Enrolment.course_id.in_(ids))
    students = {key: count for key, count in session.execute(enrolled.group_by(Enrolment.course_id))}  # noqa: C416
    begun = select(SessionRow.course_id, func.count(), func.max(SessionRow.starts_at))
    begun = begun.where(SessionRow.course_id.in_(ids), SessionRow.starts_at <= now)
    held = {key: (count, last) for key, count, last in session.execute(begun.group_by(SessionRow.course_id))}
    entries = _entries(session, ids, now)
    lines = []
    for row in rows:
        (sessions, last_at), (attended, counted) = held.get(row.id, (0, None)), entries.get(row.id, (0, 0))
        lines.append(
            CourseShare(
                row.code,
                row.title,
                row.time_zone,
                students=students.get(row.id, 0),
                sessions=sessions,
                last_at=last_at,
                attended=attended,
                counted=counted,
            )
        )
    return lines


def _entries(session: Session, ids: Collection[int], now: datetime) -> dict[int, tuple[int, int]]:
    status = AttendanceRow.status
    attended = func.sum(case((status.in_(ATTENDED), 1), else_=0))
    counted = func.sum(case((status.in_(COUNTED), 1), else_=0))
    query = (
        select(SessionRow.course_id, attended, counted)
        .join(AttendanceRow, AttendanceRow.session_id == SessionRow.id)
        .where(SessionRow.course_id.in_(ids), or_(SessionRow.ends_at <= now, SessionRow.starts_at > now))
        .group_by(SessionRow.course_id)
    )
    return {key: (int(came), int(of)) for key, came, of in session.execute(query)}
