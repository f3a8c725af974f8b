"""Sessions whose ledger is due: their records are stored, and the ledger follows."""

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from db.schema import Course, DueRow, Enrolment, LookRow, SessionRow
from db.upsert import upsert

__all__ = [
    "due_of_course",
    "due_of_student",
    "due_running",
    "due_sessions",
    "mark_course_due",
    "mark_due",
    "take_due",
]


def mark_due(session: Session, session_ids: Collection[int]) -> None:
    """Have the ledgers of these sessions folded anew, in this transaction or later."""
    now = datetime.now(UTC)
    rows = [{"session_id": one, "due_since": now} for one in sorted(session_ids)]
    upsert(session, DueRow, rows, key=["session_id"])


def mark_course_due(session: Session, course_id: int) -> None:
    """Have the ledgers of all sessions of a course that were looked at folded anew: its roster changed."""
    looked_at = select(LookRow.id).where(LookRow.session_id == SessionRow.id).exists()
    ids = session.scalars(select(SessionRow.id).where(SessionRow.course_id == course_id, looked_at)).all()
    mark_due(session, ids)


def due_sessions(session: Session, session_id: int | None = None) -> list[int]:
    """The sessions that are due, longest first; with a `session_id` that one, if it is."""
    query = select(DueRow.session_id).order_by(DueRow.since, DueRow.session_id)
    return list(
        session.scalars(query if session_id is None else query.where(DueRow.session_id == session_id))
    )


def due_running(session: Session, now: datetime, courses: Collection[int] | None = None) -> list[int]:
    """Those of the sessions that are due which run at this moment; of these courses, None for all."""
    query = (
        select(DueRow.session_id)
        .join(SessionRow, SessionRow.id == DueRow.session_id)
        .where(SessionRow.starts_at <= now, SessionRow.ends_at > now)
    )
    return list(session.scalars(query if courses is None else query.where(SessionRow.course_id.in_(courses))))


def due_of_student(session: Session, student_id: int) -> list[int]:
    """Those of the sessions that are due in whose courses this student is enrolled."""
    query = (
        select(DueRow.session_id)
        .join(SessionRow, SessionRow.id == DueRow.session_id)
        .join(Enrolment, Enrolment.course_id == SessionRow.course_id)
        .where(Enrolment.student_id == student_id)
    )
    return list(session.scalars(query))


def due_of_course(session: Session, code: str) -> list[int]:
    """Those of the sessions that are due that are of this course."""
    query = (
        select(DueRow.session_id)
        .join(SessionRow, SessionRow.id == DueRow.session_id)
        .join(Course, Course.id == SessionRow.course_id)
        .where(Course.code == code)
    )
    return list(session.scalars(query))


def take_due(session: Session, session_id: int) -> bool:
    """Whether the session is due; from now on it no longer is. The caller holds the session and folds it."""
    taken = session.execute(delete(DueRow).where(DueRow.session_id == session_id))
    assert isinstance(taken, CursorResult)
    return taken.rowcount > 0
