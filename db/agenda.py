"""Sessions as a calendar shows them, and as a course's page does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from db.schema import Course, LookRow, ReviewRow, SessionRow

__all__ = [
    "CalendarLine",
    "CourseCounts",
    "CourseSession",
    "begun_sessions",
    "calendar_lines",
    "coming_sessions",
    "course_counts",
    "recent_sessions",
]

MOST_LINES = 5000


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """A session in a calendar."""

    id: int
    course: str
    title: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class CourseSession:
    """A session on its course's page. `looks`, `open_reviews`: counts."""

    id: int
    title: str
    starts_at: datetime
    ends_at: datetime
    looks: int
    open_reviews: int


@dataclass(frozen=True, slots=True)
class CourseCounts:
    """Of all sessions of a course. `looked_at`: those with a look."""

    sessions: int
    looked_at: int
    open_reviews: int


def course_counts(session: Session, course_id: int) -> CourseCounts:
    sessions = select(func.count()).where(SessionRow.course_id == course_id)
    looked_at = sessions.where(exists().where(LookRow.session_id == SessionRow.id))
    reviews = (
        select(func.count(ReviewRow.id))
        .join(SessionRow, SessionRow.id == ReviewRow.session_id)
        .where(SessionRow.course_id == course_id, ReviewRow.state == "open")
    )
    counts = (query.scalar_subquery() for query in (sessions, looked_at, reviews))
    return CourseCounts(*session.execute(select(*counts)).one())


def begun_sessions(session: Session, course_id: int, now: datetime) -> int:
    query = select(func.count()).where(SessionRow.course_id == course_id, SessionRow.starts_at <= now)
    return session.scalar(query) or 0


def calendar_lines(
    session: Session, courses: Collection[int] | None, now: datetime, from_at: datetime, until_at: datetime
) -> list[CalendarLine]:
    """The sessions of these courses, None for all, that begin in that span, in order of time; at most `MOST_LINES`.

    Where there are more, the next ones to come are those that are told, then the last ones that have begun.
    """
    columns = (SessionRow.id, Course.code, SessionRow.title, SessionRow.starts_at, SessionRow.ends_at)
    query = (
        select(*columns)
        .join(Course, Course.id == SessionRow.course_id)
        .where(SessionRow.starts_at >= from_at, SessionRow.starts_at < until_at)
    )
    if courses is not None:
        query = query.where(SessionRow.course_id.in_(courses))
    later = query.where(SessionRow.starts_at > now).order_by(SessionRow.starts_at, SessionRow.id)
    coming = session.execute(later.limit(MOST_LINES)).all()
    before = query.where(SessionRow.starts_at <= now).order_by(
        SessionRow.starts_at.desc(), SessionRow.id.desc()
    )
    begun = session.execute(before.limit(MOST_LINES - len(coming))).all()
    return [CalendarLine(*row) for row in (*reversed(begun), *coming)]


def coming_sessions(session: Session, course_id: int, now: datetime, most: int) -> list[CourseSession]:
    """The sessions of a course that have not begun, the next one first."""
    query = _sessions(course_id).where(SessionRow.starts_at > now)
    rows = session.execute(query.order_by(SessionRow.starts_at, SessionRow.id).limit(most))
    return [CourseSession(*row) for row in rows]


def recent_sessions(session: Session, course_id: int, now: datetime, most: int) -> list[CourseSession]:
    """The sessions of a course that have begun, the last one first."""
    query = _sessions(course_id).where(SessionRow.starts_at <= now)
    rows = session.execute(query.order_by(SessionRow.starts_at.desc(), SessionRow.id.desc()).limit(most))
    return [CourseSession(*row) for row in rows]


def _sessions(course_id: int) -> Select[Any]:
    looks = select(func.count()).where(LookRow.session_id == SessionRow.id).scalar_subquery()
    reviews = (
        select(func.count())
        .where(ReviewRow.session_id == SessionRow.id, ReviewRow.state == "open")
        .scalar_subquery()
    )
    columns = (SessionRow.id, SessionRow.title, SessionRow.starts_at, SessionRow.ends_at)
    return select(*columns, looks, reviews).where(SessionRow.course_id == course_id)
