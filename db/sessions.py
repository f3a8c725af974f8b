"""Class meetings: starting one, finding one, and the rules that apply to it."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db.errors import GridrollError, NotFoundError
from db.people import find_course
from db.rules import Rules, Span
from db.schema import Course, SessionRow

__all__ = ["find_session", "lock_session", "rules_of", "span_of", "start_session"]


def start_session(
    session: Session, course_code: str, title: str, starts_at: datetime, minutes: float
) -> SessionRow:
    """Plan a session of a course. `starts_at` is aware; `minutes` is more than 0 and at most a day."""
    if not 0 < minutes <= 24 * 60:
        raise GridrollError(f"a session of {minutes:g} minutes cannot be; give 1 to 1440")
    if len(title) > 200:
        raise GridrollError(f"title {title[:20]!r}… has {len(title)} characters; at most 200 fit")
    course = find_course(session, course_code)
    row = SessionRow(
        course_id=course.id,
        title=title or course.code,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
    )
    session.add(row)
    session.flush()
    row.course = course
    return row


def find_session(session: Session, session_id: int) -> SessionRow:
    """The session with its course loaded."""
    row = session.scalar(
        select(SessionRow).options(joinedload(SessionRow.course)).where(SessionRow.id == session_id)
    )
    if row is None:
        raise NotFoundError(f"there is no session {session_id}; 'gridroll session start COURSE' starts one")
    return row


def lock_session(session: Session, session_id: int) -> None:
    """Make other writers of this session wait until the transaction ends."""
    session.execute(select(SessionRow.id).where(SessionRow.id == session_id).with_for_update())


def rules_of(course: Course) -> Rules:
    return Rules(
        late_after=timedelta(seconds=course.late_after_s),
        left_early=timedelta(seconds=course.left_early_s),
        min_presence=course.min_presence,
    )


def span_of(row: SessionRow) -> Span:
    return Span(row.starts_at, row.ends_at)
