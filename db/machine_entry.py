"""An entry of the ledger as it is without staff, read from what the last fold stored."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from db.presence import NOT_THERE, Entry, Interval, Span, cells_of
from db.schema import AttendanceRow, Enrolment, IntervalRow, LookRow, SessionRow, Student
from db.sessions import span_of

__all__ = ["StoredEntry", "stored_entry"]


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """`machine`: the entry without staff; None where the machine has none. `enrolled`: on the roster now."""

    student: Student
    machine: Entry | None
    enrolled: bool


def stored_entry(
    session: Session, row: SessionRow, student_no: str, minutes_said: bool
) -> StoredEntry | None:
    """What the machine says of a student at a session. `minutes_said`: staff wrote over its minutes.

    Of a student whom no fold has met it is what it would be with no look. None for a student who is none.
    """
    held = AttendanceRow
    query = (
        select(
            *(Student, Enrolment.id, Enrolment.enrolled_at),
            *(held.id, held.machine_status, held.minutes, held.confidence),
        )
        .outerjoin(Enrolment, and_(Enrolment.student_id == Student.id, Enrolment.course_id == row.course_id))
        .outerjoin(held, and_(held.student_id == Student.id, held.session_id == row.id))
        .where(Student.student_no == student_no)
    )
    found: Any = session.execute(query).first()
    if found is None:
        return None
    student, enrolment_id, enrolled_at, entry_id, status, minutes, confidence = found
    enrolled = enrolment_id is not None
    stays = [] if entry_id is None else _stays(session, entry_id)
    late = enrolled_at is not None and enrolled_at > row.starts_at
    if late and not stays and (status or "unverified") in NOT_THERE:
        return StoredEntry(student, None, enrolled)
    if entry_id is None:
        machine = Entry(student.id, "unverified", 0.0, None, ()) if enrolled else None
        return StoredEntry(student, machine, enrolled)
    if minutes_said:
        minutes = _minutes(session, row, stays)
    return StoredEntry(student, _entry(student.id, status, minutes, confidence, stays), enrolled)


def _entry(
    student_id: int, status: str, minutes: float, confidence: float | None, stays: Sequence[Interval]
) -> Entry:
    return Entry(
        student_id,
        status,
        minutes,
        confidence,
        tuple(stays),
        joined_at=stays[0].seen_from if stays else None,
        joined_after=stays[0].not_before if stays else None,
        last_seen_at=stays[-1].seen_to if stays else None,
        left_before=stays[-1].not_after if stays else None,
        machine_status=status,
    )


def _stays(session: Session, entry_id: int) -> list[Interval]:
    stay = IntervalRow
    query = select(stay.seen_from, stay.seen_to, stay.not_before, stay.not_after)
    found = session.execute(query.where(stay.attendance_id == entry_id).order_by(stay.seen_from))
    return [Interval(*moments) for moments in found]


def _minutes(session: Session, row: SessionRow, stays: Sequence[Interval]) -> float:
    """What the stays come to, where the stored number is staff's."""
    times = session.scalars(select(LookRow.taken_at).where(LookRow.session_id == row.id)).all()
    return minutes_of(stays, sorted(times), span_of(row))


def minutes_of(stays: Sequence[Interval], times: Sequence[datetime], span: Span) -> float:
    """How long stays lasted, by the class time that each look stands for. `times`: of the looks, in order."""
    cells = cells_of(times, span)
    inside = (cells[bisect_left(times, one.seen_from) : bisect_right(times, one.seen_to)] for one in stays)
    return sum((cell for own in inside for cell in own), timedelta()).total_seconds() / 60
