"""Spans of time for which students are excused."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import or_, select, union
from sqlalchemy.orm import Session

from db.due import mark_due
from db.errors import GridrollError, NotFoundError
from db.people import find_course, find_student
from db.proof import note_record
from db.schema import Enrolment, ExcuseRow, SessionRow, Student

__all__ = ["add_excuse", "excused_in", "excuses_of", "withdraw_excuse"]


def add_excuse(
    session: Session,
    student_no: str,
    course_code: str | None,
    from_at: datetime,
    until_at: datetime,
    reason: str,
    made_by: str,
) -> ExcuseRow:
    """Excuse a student from the sessions that begin within the span, of one course or (None) of all.

    Who comes all the same is counted as present. The ledgers concerned are due.
    """
    if until_at <= from_at:
        raise GridrollError(
            f"an excuse from {from_at:%Y-%m-%d %H:%M} until {until_at:%Y-%m-%d %H:%M} covers nothing; "
            "give an end after the beginning"
        )
    if not reason.strip():
        raise GridrollError("an excuse needs a reason; say why, for those who read it later")
    student = find_student(session, student_no)
    row = ExcuseRow(
        student_id=student.id,
        course_id=None if course_code is None else find_course(session, course_code).id,
        from_at=from_at,
        until_at=until_at,
        reason=reason.strip(),
        made_by=made_by,
        made_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    span = {"course": row.course_id, "from": from_at, "until": until_at}
    # Why stands in the row, which can be emptied: what the chain holds, it holds for ever.
    note_record(session, made_by, "excuse.given", row, None, span)
    _mark_due(session, row)
    return row


def withdraw_excuse(session: Session, excuse_id: int, reason: str, made_by: str) -> None:
    """Have an excuse count no longer; why is added to its reason. Raises NotFoundError."""
    if not reason.strip():
        raise GridrollError("taking an excuse back needs a reason; say why, for those who read it later")
    row = session.get(ExcuseRow, excuse_id, with_for_update=True)
    if row is None or row.withdrawn_at is not None:
        raise NotFoundError(f"there is no excuse {excuse_id} in force; 'gridroll excuse list' shows them")
    row.withdrawn_at = datetime.now(UTC)
    row.reason = f"{row.reason}\nTaken back: {reason.strip()}".strip()
    session.flush()
    note_record(session, made_by, "excuse.withdrawn", row, None, {"withdrawn_at": row.withdrawn_at})
    _mark_due(session, row)


def excuses_of(session: Session, student_id: int | None = None) -> Sequence[ExcuseRow]:
    """The excuses in force, of one student or of all, newest first."""
    query = select(ExcuseRow).where(ExcuseRow.withdrawn_at.is_(None)).order_by(ExcuseRow.from_at.desc())
    if student_id is not None:
        query = query.where(ExcuseRow.student_id == student_id)
    return session.scalars(query).all()


def excused_in(session: Session, row: SessionRow) -> frozenset[int]:
    """The students excused from a session."""
    covers = (
        ExcuseRow.withdrawn_at.is_(None),
        ExcuseRow.from_at <= row.starts_at,
        ExcuseRow.until_at > row.starts_at,
        or_(ExcuseRow.course_id.is_(None), ExcuseRow.course_id == row.course_id),
    )
    members = (
        select(ExcuseRow.student_id)
        .join(Enrolment, Enrolment.student_id == ExcuseRow.student_id)
        .where(Enrolment.course_id == row.course_id, *covers)
    )
    # Who was removed since is on no roster; whether they had an entry here is for the caller to know.
    removed = (
        select(ExcuseRow.student_id)
        .join(Student, Student.id == ExcuseRow.student_id)
        .where(Student.removed_at.is_not(None), *covers)
    )
    return frozenset(session.scalars(union(members, removed)))


def _mark_due(session: Session, row: ExcuseRow) -> None:
    query = (
        select(SessionRow.id)
        .join(Enrolment, Enrolment.course_id == SessionRow.course_id)
        .where(
            Enrolment.student_id == row.student_id,
            SessionRow.starts_at >= row.from_at,
            SessionRow.starts_at < row.until_at,
        )
    )
    if row.course_id is not None:
        query = query.where(SessionRow.course_id == row.course_id)
    mark_due(session, session.scalars(query).all())
