"""A course's roster: who is on it, what a file would change of it, and doing that."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.due import mark_course_due
from db.errors import GridrollError, NotFoundError
from db.names import name_order
from db.people import enrol
from db.proof import note_record
from db.roster_file import RosterFile, RosterLine, RosterProblem
from db.schema import AttendanceRow, Course, Enrolment, SessionRow, Student
from db.term import ATTENDED, COUNTED

__all__ = [
    "ImportConflictError",
    "Member",
    "RosterChange",
    "RosterPlan",
    "apply_roster",
    "lock_course",
    "members_of",
    "plan_roster",
    "remove_from_roster",
    "standings",
]

CHUNK = 1000


class ImportConflictError(GridrollError):
    """The ledger is not as it was when the changes were shown."""


@dataclass(frozen=True, slots=True)
class Member:
    """A student on a roster. `enrolled_at`: when they joined it late. `attended` of `counted` sessions."""

    student_no: str
    name: str
    email: str
    enrolled_at: datetime | None
    attended: int = 0
    counted: int = 0

    @property
    def share(self) -> float | None:
        """0 to 1; None where no session counts."""
        return self.attended / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What a line of a file does. `kind`: `new`, `added` (a known student, to the course), `changed` or `unchanged`.

    `before`: the old value of each field that changes: `name`, `email`, `enrolled_on` (empty: from the beginning).
    """

    kind: str
    line: RosterLine
    before: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RosterPlan:
    """What a file would change of a course's roster. `missing`: who is on the roster and not in the file; they stay.

    Nothing is applied while there are `problems`. `digest` stands for all of it.
    """

    changes: tuple[RosterChange, ...]
    missing: tuple[Member, ...]
    problems: tuple[RosterProblem, ...]

    def of_kind(self, kind: str) -> list[RosterChange]:
        return [change for change in self.changes if change.kind == kind]

    @property
    def changes_nothing(self) -> bool:
        return all(change.kind == "unchanged" for change in self.changes)

    @property
    def digest(self) -> str:
        told = [[change.kind, asdict(change.line), dict(change.before)] for change in self.changes]
        gone = [member.student_no for member in self.missing]
        text = json.dumps([told, gone, [asdict(one) for one in self.problems]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def plan_roster(
    session: Session, course: Course, file: RosterFile, may_correct: bool, visible: Collection[int] | None
) -> RosterPlan:
    """Hold a file against the ledger; changes nothing.

    `may_correct`: whether the caller may change names and addresses on record. `visible`: the courses whose students the
    caller may see, None for all: of others nothing on record is told.
    """
    known = _students(session, [line.student_no for line in file.lines.values()])
    enrolled = {row.student_id: row for row in _enrolments(session, course.id)}
    problems = list(file.problems)
    changes: list[RosterChange] = []
    seen = _visible(session, visible, [student.id for student in known.values()])
    for place, line in file.lines.items():
        student = known.get(line.student_no)
        if student is None:
            changes.append(RosterChange("new", line, {}))
            continue
        before = _corrections(student, line)
        if student.removed_at is not None:
            text = f"student {line.student_no} was removed and their data erased; take the line out, or ask an admin"
            problems.append(RosterProblem(place, line.student_no, text))
        elif before and not may_correct:
            told = seen is None or student.id in seen
            problems.append(RosterProblem(place, line.student_no, _not_yours(line, before, told)))
        else:
            row = enrolled.get(student.id)
            if row is not None and line.enrolled_on == _day(row, course.time_zone):
                # Who was put on the roster in the midst of that day is so still.
                line = replace(line, enrolled_on="")
            if row is not None and line.enrolled_on:
                before["enrolled_on"] = _day(row, course.time_zone)
            kind = "added" if row is None else "changed" if before else "unchanged"
            changes.append(RosterChange(kind, line, before))
    numbers = {line.student_no for line in file.lines.values()} | {one.student_no for one in file.problems}
    missing = [member for member in members_of(session, course.id) if member.student_no not in numbers]
    return RosterPlan(tuple(changes), tuple(missing), tuple(sorted(problems, key=lambda one: one.line)))


def apply_roster(
    session: Session,
    course: Course,
    plan: RosterPlan,
    digest: str,
    removals: Collection[str],
    actor: str,
) -> None:
    """Do what a plan says, and take those of its `missing` off the roster who are in `removals`, by student number.

    Raises ImportConflictError, before anything is changed, where the plan is not the one of `digest` or has problems.
    """
    if plan.problems or plan.digest != digest:
        raise ImportConflictError("the ledger changed while you looked at this; look again, then confirm")
    doing = [change.line for change in plan.changes if change.kind != "unchanged"]
    if doing:
        enrol(session, course, doing, actor)
    gone = [member.student_no for member in plan.missing if member.student_no in removals]
    remove_from_roster(session, course, gone, actor, "not in the imported roster")


def lock_course(session: Session, code: str) -> Course:
    """The course; other imports of its roster wait until the transaction ends. Raises NotFoundError."""
    course = session.scalars(select(Course).where(Course.code == code).with_for_update()).first()
    if course is None:
        raise NotFoundError(f"there is no course {code!r}")
    return course


def remove_from_roster(
    session: Session, course: Course, numbers: Sequence[str], actor: str = SYSTEM, reason: str = ""
) -> int:
    """Take students off a course's roster; what is on record of them stays. Returns how many were on it."""
    found = _students(session, numbers).values()
    rows = {row.student_id: row for row in _enrolments(session, course.id)}
    gone = [rows[student.id] for student in found if student.id in rows]
    for row in gone:
        note_record(session, actor, "enrolment.removed", row, {"enrolled_at": row.enrolled_at}, None, reason)
        session.delete(row)
    session.flush()
    if gone:
        mark_course_due(session, course.id)
    return len(gone)


def members_of(
    session: Session, course_id: int, standing: Mapping[int, tuple[int, int]] | None = None
) -> list[Member]:
    """The roster in the order of names. `standing`: see `standings`."""
    columns = (Student.id, Student.student_no, Student.name, Student.email, Enrolment.enrolled_at)
    query = select(*columns).join(Enrolment, Enrolment.student_id == Student.id)
    found = [
        Member(number, name, email, since, *(standing or {}).get(key, (0, 0)))
        for key, number, name, email, since in session.execute(query.where(Enrolment.course_id == course_id))
    ]
    return sorted(found, key=lambda member: (name_order(member.name), member.student_no))


def standings(session: Session, course_id: int, now: datetime) -> dict[int, tuple[int, int]]:
    """By student id: how many of how many sessions that have ended were attended. See `db.term` for what counts."""
    entry = AttendanceRow
    attended = func.sum(cast(entry.status.in_(ATTENDED), Integer))
    query = (
        select(entry.student_id, attended, func.count())
        .join(SessionRow, SessionRow.id == entry.session_id)
        .where(SessionRow.course_id == course_id, SessionRow.ends_at <= now, entry.status.in_(COUNTED))
        .group_by(entry.student_id)
    )
    return {student: (int(came), counted) for student, came, counted in session.execute(query)}


def _students(session: Session, numbers: Sequence[str]) -> dict[str, Student]:
    found: dict[str, Student] = {}
    for start in range(0, len(numbers), CHUNK):
        query = select(Student).where(Student.student_no.in_(numbers[start : start + CHUNK]))
        found |= {student.student_no: student for student in session.scalars(query)}
    return found


def _enrolments(session: Session, course_id: int) -> Sequence[Enrolment]:
    return session.scalars(select(Enrolment).where(Enrolment.course_id == course_id)).all()


def _visible(
    session: Session, courses: Collection[int] | None, student_ids: Collection[int]
) -> frozenset[int] | None:
    if courses is None:
        return None
    query = select(Enrolment.student_id).where(Enrolment.course_id.in_(courses))
    return frozenset(session.scalars(query)) & frozenset(student_ids)


def _corrections(student: Student, line: RosterLine) -> dict[str, str]:
    """The fields on record that the line would change, and what they are."""
    wanted = {"name": line.name, "email": line.email.lower()}
    return {name: getattr(student, name) for name, value in wanted.items() if getattr(student, name) != value}


def _day(row: Enrolment, time_zone: str) -> str:
    """Since when they are on the roster, as `2026-11-20`; empty for the beginning."""
    if row.enrolled_at is None:
        return ""
    return row.enrolled_at.astimezone(ZoneInfo(time_zone)).date().isoformat()


def _not_yours(line: RosterLine, before: Mapping[str, str], told: bool) -> str:
    if not told:
        # Which field it is would confirm the others, guess by guess.
        return (
            f"student {line.student_no} cannot be added as the file has them; staff know what is on record, "
            "and add them"
        )
    what = {"name": "name", "email": "e-mail address"}
    fields = " and ".join(what[name] for name in before)
    held = ", ".join(repr(value) for value in before.values())
    return (
        f"student {line.student_no} is on record with another {fields} ({held}); staff can change that, or write it as "
        "it is on record"
    )
