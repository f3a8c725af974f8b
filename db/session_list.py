"""The list of sessions: those that have begun, a page at a time, and the next ones to come."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from db.report import SessionLine, session_lines
from db.schema import Course, SessionRow

__all__ = ["SessionList", "begun_sessions", "list_sessions"]

COMING = 5
LONGEST = timedelta(days=1)
"""No session lasts longer."""


@dataclass(frozen=True, slots=True)
class SessionList:
    """`begun`: the newest first, a page of `total`. `coming`: have not begun, the next one first."""

    total: int
    begun: list[SessionLine]
    coming: list[SessionLine]


def list_sessions(
    session: Session,
    now: datetime,
    first: int = 0,
    limit: int = 50,
    courses: Collection[int] | None = None,
    code: str = "",
) -> SessionList:
    """Begun sessions, `first` of them skipped, and a few to come where none is. `courses`: ids, None: all; `code`: of one."""
    row, where = SessionRow, _wanted(courses, code)
    begun = (row.starts_at <= now, *where)
    total = session.scalar(select(func.count(row.id)).where(*begun)) or 0
    # The ids first, from the index alone: joined to their courses, MariaDB would sort all sessions there ever were.
    newest = select(row.id).where(*begun).order_by(row.starts_at.desc(), row.id.desc())
    ids = session.scalars(newest.limit(limit).offset(first)).all()
    coming: set[int] = set()
    if not first:
        later = select(row.id).where(row.starts_at > now, *where).order_by(row.starts_at, row.id)
        coming.update(session.scalars(later.limit(COMING)))
    lines = session_lines(session, {*ids, *coming})
    return SessionList(
        total,
        [line for line in lines if line.id not in coming],
        [line for line in reversed(lines) if line.id in coming],
    )


def begun_sessions(
    session: Session, now: datetime, limit: int, courses: Collection[int] | None = None
) -> list[SessionLine]:
    """Running sessions, then those that are over, the newest first in both."""
    row, where = SessionRow, _wanted(courses, "")
    newest = (row.starts_at.desc(), row.id.desc())
    running = select(row.id).where(
        row.starts_at <= now, row.starts_at >= now - LONGEST, row.ends_at > now, *where
    )
    recent = select(row.id).where(row.starts_at <= now, *where)
    ids = {
        key for query in (running, recent) for key in session.scalars(query.order_by(*newest).limit(limit))
    }
    lines = session_lines(session, ids)
    # Sorting keeps the order among equals.
    return sorted(lines, key=lambda line: line.ends_at <= now)[:limit]


def _wanted(courses: Collection[int] | None, code: str) -> tuple[ColumnElement[bool], ...]:
    where: list[ColumnElement[bool]] = []
    if courses is not None:
        where.append(SessionRow.course_id.in_(courses))
    if code:
        one = select(Course.id).where(Course.code == code).scalar_subquery()
        where.append(SessionRow.course_id == one)
    return tuple(where)
