"""Class meetings: starting one, finding one, and the rules that apply to it."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM
from db.errors import GridrollError, NotFoundError
from db.names import title_fault
from db.people import find_course
from db.presence import Rules, Span
from db.proof import note_record
from db.schema import Course, SessionRow
from db.tracks import Thresholds

__all__ = [
    "course_rules",
    "find_session",
    "lock_session",
    "rules_of",
    "span_of",
    "start_session",
    "thresholds_of",
]


def start_session(
    session: Session,
    course_code: str,
    title: str,
    starts_at: datetime,
    minutes: float,
    actor: str = SYSTEM,
) -> SessionRow:
    """Plan a session of a course. `starts_at` is aware; `minutes` is more than 0 and at most a day."""
    if not 0 < minutes <= 24 * 60:
        raise GridrollError(f"a session of {minutes:g} minutes cannot be; give 1 to 1440")
    if fault := title_fault(title):
        raise GridrollError(fault)
    course = find_course(session, course_code)
    row = SessionRow(
        course_id=course.id,
        title=title or course.code,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
    )
    session.add(row)
    session.flush()
    after = {"course": course.id, "starts_at": starts_at, "minutes": minutes}
    note_record(session, actor, "session.started", row, None, after)
    row.course = course
    return row


def find_session(session: Session, session_id: int) -> SessionRow:
    """The session with its course loaded."""
    row = session.scalar(
        select(SessionRow).options(joinedload(SessionRow.course)).where(SessionRow.id == session_id)
    )
    if row is None:
        raise no_session(session_id)
    return row


def no_session(session_id: int) -> NotFoundError:
    return NotFoundError(f"there is no session {session_id}; 'gridroll session start COURSE' starts one")


def lock_session(session: Session, session_id: int) -> None:
    """Make other writers of this session wait until the transaction ends."""
    session.execute(select(SessionRow.id).where(SessionRow.id == session_id).with_for_update())


def course_rules(course: Course) -> Rules:
    return Rules(
        late_after=timedelta(seconds=course.late_after_s),
        left_early=timedelta(seconds=course.left_early_s),
        min_presence=course.min_presence,
    )


def rules_of(row: SessionRow) -> Rules:
    """The course's rules, but for those that were adopted for this session alone."""
    rules = course_rules(row.course)
    if row.late_after_s is not None:
        rules = replace(rules, late_after=timedelta(seconds=row.late_after_s))
    if row.left_early_s is not None:
        rules = replace(rules, left_early=timedelta(seconds=row.left_early_s))
    if row.min_presence is not None:
        rules = replace(rules, min_presence=row.min_presence)
    return rules


def thresholds_of(row: SessionRow) -> Thresholds | None:
    """The thresholds that were adopted for this session; None: each naming's own."""
    if row.match_threshold_pct is None and row.match_margin_pct is None:
        return None
    return Thresholds(row.match_threshold_pct, row.match_margin_pct)


def span_of(row: SessionRow) -> Span:
    return Span(row.starts_at, row.ends_at)
