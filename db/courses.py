"""Courses and their rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.due import mark_due
from db.errors import GridrollError
from db.people import find_course
from db.proof import note_record
from db.schema import Course, Enrolment, SessionRow

__all__ = ["CourseLine", "list_courses", "set_rules"]


@dataclass(frozen=True, slots=True)
class CourseLine:
    """A course in a list. `students` and `sessions` are counts; `min_presence`: 0 to 1."""

    code: str
    time_zone: str
    students: int
    sessions: int
    late_after_s: int
    left_early_s: int
    min_presence: float


def list_courses(session: Session) -> list[CourseLine]:
    """All courses in the order of their codes."""
    students = select(func.count()).where(Enrolment.course_id == Course.id).scalar_subquery()
    sessions = select(func.count()).where(SessionRow.course_id == Course.id).scalar_subquery()
    columns = (Course.code, Course.time_zone, students, sessions)
    rules = (Course.late_after_s, Course.left_early_s, Course.min_presence)
    return [CourseLine(*row) for row in session.execute(select(*columns, *rules).order_by(Course.code))]


def set_rules(
    session: Session, code: str, wanted: Mapping[str, int | float], past: bool, made_by: str, reason: str
) -> int:
    """Change a course's rules, by column name; returns how many of its sessions have begun.

    `past`: those are due to be folded with the new rules, whatever they had; else each keeps what it had. Raises NotFoundError, and
    GridrollError without a reason.
    """
    if not reason:
        raise GridrollError("other rules need a reason; say why, for those who read it later")
    course = find_course(session, code)
    query = select(SessionRow.id).where(
        SessionRow.course_id == course.id, SessionRow.starts_at <= datetime.now(UTC)
    )
    # One by one in order of their ids, as all who lock several do: else two of them could wait for each other.
    begun = [session.get_one(SessionRow, one, with_for_update=True) for one in sorted(session.scalars(query))]
    for row in begun:
        held = {name: getattr(row, name) for name in wanted}
        kept = {
            name: None if past else getattr(course, name) if own is None else own
            for name, own in held.items()
        }
        if held != kept:
            for name, value in kept.items():
                setattr(row, name, value)
            session.flush()
            note_record(session, made_by, "rules.kept", row, held, kept, reason)
    before = {name: getattr(course, name) for name in wanted}
    for name, value in wanted.items():
        setattr(course, name, value)
    session.flush()
    note_record(session, made_by, "course.changed", course, before, {**wanted, "past": past}, reason)
    if past:
        mark_due(session, [row.id for row in begun])
    return len(begun)
