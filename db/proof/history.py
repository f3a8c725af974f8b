"""The audit chain page by page, narrowed to what somebody wants to know, with the names of what it is about."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, cast, false, func, not_, or_, select
from sqlalchemy.orm import Session

from db.proof.trail import Noted, begins, noted_of
from db.schema import (
    AuditRow,
    Course,
    DisputeRow,
    ErasureRow,
    ExcuseRow,
    JudgementRow,
    ReviewRow,
    SessionRow,
    Student,
    User,
)

__all__ = ["HistoryPage", "Meeting", "Names", "Person", "Wanted", "history_page"]

PART = re.compile(r"(?:^|/)([a-z]+):([^/]+)")
STUDENT_FIELDS = frozenset({"student", "about", "or"})
"""Fields of a state that hold a student's id."""

KEPT_ELSEWHERE: Mapping[str, tuple[str, Any, Any]] = {
    "excuse.given": ("excuse", ExcuseRow.id, ExcuseRow.reason),
    "excuse.withdrawn": ("excuse", ExcuseRow.id, ExcuseRow.reason),
    "judgement.made": ("judgement", JudgementRow.id, JudgementRow.reason),
    "erasure.settled": ("erasure", ErasureRow.id, ErasureRow.answer),
}
"""Where the reason of an action is read: what the chain calls the record, its number, and the text."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a history is narrowed to; everything empty: all of it.

    `actor`: part of who did it. `nouns`: first words of actions, of which `without` are left out. `since`, `until`: from
    then on, and before then. `courses`: ids of those that may be told of, with their sessions; None: everything may.
    """

    actor: str = ""
    nouns: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    session_id: int | None = None
    course_id: int | None = None
    student_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    courses: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """`removed`: a number without a person, of whom there is no page."""

    student_no: str
    name: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Meeting:
    course: str
    time_zone: str
    title: str
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in the chain stand for, by id; what is gone is left out. `courses`: code and time zone; `users`: address."""

    students: Mapping[int, Person] = field(default_factory=dict)
    sessions: Mapping[int, Meeting] = field(default_factory=dict)
    courses: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    users: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows, the newest first. `older`: the row before which the next page begins; None: there is none."""

    rows: tuple[Noted, ...]
    names: Names
    older: int | None


def history_page(session: Session, wanted: Wanted, before: int | None = None, limit: int = 50) -> HistoryPage:
    """The newest rows that are wanted, of those before the row `before`; None: of all."""
    query = select(AuditRow).where(*_conditions(session, wanted))
    if before is not None:
        query = query.where(AuditRow.seq < before)
    found = session.scalars(query.order_by(AuditRow.seq.desc()).limit(limit + 1)).all()
    rows = _with_reasons(session, [noted_of(row) for row in found[:limit]])
    return HistoryPage(rows, _names(session, rows), rows[-1].seq if len(found) > limit else None)


def _with_reasons(session: Session, rows: Sequence[Noted]) -> tuple[Noted, ...]:
    """With the reasons that stand in the records alone, where they can be emptied."""
    found: dict[str, str] = {}
    for action, (model, key, text) in KEPT_ELSEWHERE.items():
        subjects = [row.subject for row in rows if row.action == action and not row.reason]
        ids = {int(last) for one in subjects if (last := one.rpartition(":")[2]).isdecimal()}
        for number, said in _rows(session, key, ids, text):
            found |= {
                f"{action} {one}": said for one in subjects if one.endswith(f"/{model}:{number}") and said
            }
    return tuple(replace(row, reason=found.get(f"{row.action} {row.subject}", row.reason)) for row in rows)


def _conditions(session: Session, wanted: Wanted) -> list[ColumnElement[bool]]:
    row = AuditRow
    found: list[ColumnElement[bool]] = []
    if wanted.nouns:
        found.append(or_(*(begins(row.action, f"{noun}.") for noun in sorted(wanted.nouns))))
    found += [not_(begins(row.action, f"{noun}.")) for noun in sorted(wanted.without)]
    if wanted.actor:
        found.append(func.lower(row.actor).contains(wanted.actor.lower(), autoescape=True))
    if wanted.since is not None:
        found.append(row.at >= wanted.since)
    if wanted.until is not None:
        found.append(row.at < wanted.until)
    if wanted.courses is not None:
        found.append(_of_courses(wanted.courses))
    if wanted.session_id is not None:
        found.append(_under(f"session:{wanted.session_id}"))
    if wanted.course_id is not None:
        found.append(_of_courses((wanted.course_id,)))
    if wanted.student_id is not None:
        found.append(_of_student(session, wanted.student_id))
    return found


def _under(subject: str) -> ColumnElement[bool]:
    return or_(AuditRow.subject == subject, begins(AuditRow.subject, f"{subject}/"))


def _of_courses(ids: Collection[int]) -> ColumnElement[bool]:
    """The courses, and all of their sessions: the number after `session:` is read from the subject, up to the slash."""
    number = cast(func.substr(AuditRow.subject, len("session:") + 1), Integer)
    sessions = select(SessionRow.id).where(SessionRow.course_id.in_(ids))
    return or_(
        false(),
        *(_under(f"course:{course_id}") for course_id in sorted(ids)),
        and_(begins(AuditRow.subject, "session:"), number.in_(sessions)),
    )


def _of_student(session: Session, student_id: int) -> ColumnElement[bool]:
    """The student, their entries and enrolments, and the reviews and verdicts that name them."""
    review, verdict, dispute = ReviewRow, JudgementRow, DisputeRow
    subjects = [
        *(
            f"session:{where}/review:{key}"
            for where, key in session.execute(
                select(review.session_id, review.id).where(
                    or_(review.student_id == student_id, review.settled_student_id == student_id)
                )
            )
        ),
        *(
            f"session:{where}/judgement:{key}"
            for where, key in session.execute(
                select(verdict.session_id, verdict.id).where(verdict.student_id == student_id)
            )
        ),
        *(
            f"session:{where}/dispute:{key}"
            for where, key in session.execute(
                select(dispute.session_id, dispute.id).where(dispute.student_id == student_id)
            )
        ),
    ]
    return or_(
        _under(f"student:{student_id}"),
        AuditRow.subject.like(f"%/student:{student_id}"),
        AuditRow.subject.in_(subjects),
    )


def _names(session: Session, rows: Sequence[Noted]) -> Names:
    """Of all that these rows are about: four statements, whatever they are."""
    ids: dict[str, set[int]] = {"student": set(), "session": set(), "course": set(), "user": set()}
    for row in rows:
        for kind, number in PART.findall(row.subject):
            if kind in ids and number.isdecimal():
                ids[kind].add(int(number))
        for state in (row.before, row.after):
            ids["student"] |= set(_students_in(state))
            if type(course := (state or {}).get("course")) is int:
                ids["course"].add(course)
    return Names(
        {
            key: Person(number, name, removed_at is not None)
            for key, number, name, removed_at in _rows(
                session, Student.id, ids["student"], Student.student_no, Student.name, Student.removed_at
            )
        },
        _meetings(session, ids["session"]),
        {
            key: (code, zone)
            for key, code, zone in _rows(session, Course.id, ids["course"], Course.code, Course.time_zone)
        },
        {key: email for key, email in _rows(session, User.id, ids["user"], User.email)},  # noqa: C416
    )


def _students_in(state: Mapping[str, Any] | None) -> Iterable[int]:
    for key, value in (state or {}).items():
        if key.isdecimal():
            yield int(key)
        elif key in STUDENT_FIELDS and type(value) is int:
            yield value


def _rows(session: Session, key: Any, ids: Collection[int], *columns: Any) -> Iterable[Any]:
    return session.execute(select(key, *columns).where(key.in_(ids))) if ids else ()


def _meetings(session: Session, ids: Collection[int]) -> dict[int, Meeting]:
    if not ids:
        return {}
    row = SessionRow
    query = select(row.id, Course.code, Course.time_zone, row.title, row.starts_at)
    query = query.join(Course, Course.id == row.course_id).where(row.id.in_(ids))
    return {
        key: Meeting(code, zone, title, starts_at)
        for key, code, zone, title, starts_at in session.execute(query)
    }
