"""One entry of the ledger as staff see it: what the machine says, what staff wrote over it, and every edit so far."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.edits import EditError, NewEdit, edit_entry, find_expected, history_of, not_expected
from db.ledger import refold
from db.machine_entry import stored_entry
from db.presence import Edit, Entry
from db.records import records_of
from db.report import SessionLine, StudentLine, line_of
from db.schema import EditRow, SessionRow, Student
from db.sessions import find_session, lock_session

__all__ = ["EditLine", "EntrySheet", "Said", "edit_lines", "edit_number", "entry_sheet", "save_entry"]

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Said:
    """What staff wrote over an entry. A field that is None is left to the machine; the remark is empty where there is none."""

    status: str | None = None
    joined_at: datetime | None = None
    last_seen_at: datetime | None = None
    minutes: float | None = None
    remark: str = ""

    @property
    def holds(self) -> bool:
        """Whether anything is written over; else the entry is the machine's."""
        return self != Said()


@dataclass(frozen=True, slots=True)
class EditLine:
    """One edit. `version`: of the entry since then; `uid`: chosen by who handed it in; `number`: the ledger's for it."""

    said: Said
    reason: str
    made_by: str
    made_at: datetime
    version: int
    uid: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class EntrySheet:
    """One student at one session. `line`: the entry as it counts; `edits`: oldest first.

    `machine`: the entry without staff; None where the machine has none, of somebody who enrolled later.
    """

    session: SessionLine
    line: StudentLine
    machine: Entry | None
    edits: tuple[EditLine, ...]
    student_id: int

    @property
    def version(self) -> int:
        return 1 + len(self.edits)

    @property
    def said(self) -> Said:
        """What staff's last edit says; nothing where there is none."""
        return self.edits[-1].said if self.edits else Said()

    def said_at(self, version: int) -> Said:
        """What staff's word was while the entry had this version."""
        return self.edits[version - 2].said if 1 < version <= self.version else Said()

    def since(self, version: int) -> tuple[EditLine, ...]:
        """The edits that were made after the entry had this version."""
        return tuple(edit for edit in self.edits if edit.version > version)


def entry_sheet(session: Session, session_id: int, student_no: str) -> EntrySheet:
    """Everything about one entry. Raises NotFoundError where the session or the student is none, or not of each other."""
    row = find_session(session, session_id)
    edits = edit_lines(_history(session, session_id, student_no))
    said = edits[-1].said if edits else Said()
    found = stored_entry(session, row, student_no, minutes_said=said.minutes is not None)
    if found is None or (not found.enrolled and found.machine is None and not edits):
        raise not_expected(student_no, row)
    student, machine = found.student, found.machine
    entry = _blank(student.id, machine).edited([_edit(student.id, edit) for edit in edits])
    line = replace(_student_line(student, entry), said=said.status or "")
    return EntrySheet(line_of(session, row), line, machine, edits, student.id)


def save_entry(session: Session, new: NewEdit) -> int:
    """Write over an entry and fold its session; returns the version that the edit made. Handed in again it counts once.

    Raises EditConflictError where somebody else was faster, EditError for values that cannot be or that are in force
    already, NotFoundError.
    """
    lock_session(session, new.session_id)
    row = find_session(session, new.session_id)
    student = find_expected(session, row, new.student_no)
    edits = edit_lines(history_of(session, new.session_id, student.id))
    said = Said(new.status, new.joined_at, new.last_seen_at, new.minutes, new.remark)
    repeated = next((edit for edit in edits if new.uid and edit.uid == new.uid), None)
    if repeated is not None:
        if (repeated.said, repeated.reason) == (said, new.reason):
            return repeated.version
        # A form that was saved before, changed and sent again: another edit, of an entry that is no longer what it was.
        new = replace(new, uid="")
    if len(new.reason) > LONGEST_REASON:
        raise EditError(
            f"the reason has {len(new.reason)} characters; at most {LONGEST_REASON} fit, write what matters"
        )
    if new.expected_version in {None, 1 + len(edits)}:
        _check(session, row, student, said, edits)
    version = edit_entry(session, new)
    refold(session, row)
    return version


def edit_number(session: Session, session_id: int, student_no: str, version: int) -> int | None:
    """The number of the edit that gave an entry this version; None where none did."""
    rows = _history(session, session_id, student_no)
    return rows[version - 2].id if 1 < version <= 1 + len(rows) else None


def _check(
    session: Session, row: SessionRow, student: Student, said: Said, edits: Sequence[EditLine]
) -> None:
    if said == (edits[-1].said if edits else Said()):
        raise EditError(f"the entry of {student.name} says just that already; change something, or leave it")
    if said.joined_at is None and said.last_seen_at is None:
        return
    machine = _machine(session, row, student)
    entry = _blank(student.id, machine).edited(
        [Edit(1, student.id, None, said.joined_at, said.last_seen_at, None, "")]
    )
    if (
        entry.joined_at is not None
        and entry.last_seen_at is not None
        and entry.last_seen_at < entry.joined_at
    ):
        joined, left = (
            f"{moment.astimezone(ZoneInfo(row.course.time_zone)):%H:%M:%S}"
            for moment in (entry.joined_at, entry.last_seen_at)
        )
        raise EditError(
            f"joined at {joined} and last seen at {left} cannot both be; give both times, in their order"
        )


def _machine(session: Session, row: SessionRow, student: Student) -> Entry | None:
    """The entry without staff's edits, as the records of this moment have it."""
    records = replace(records_of(session, row), edits=())
    entries = {entry.student_id: entry for entry in records.ledger().entries}
    return entries.get(student.id)


def _history(session: Session, session_id: int, student_no: str) -> Sequence[EditRow]:
    query = (
        select(EditRow)
        .join(Student, Student.id == EditRow.student_id)
        .where(EditRow.session_id == session_id, Student.student_no == student_no)
    )
    return session.scalars(query.order_by(EditRow.id)).all()


def _blank(student_id: int, machine: Entry | None) -> Entry:
    return machine or Entry(student_id, "unverified", 0.0, None, ())


def _student_line(student: Student, entry: Entry) -> StudentLine:
    return StudentLine(
        student_no=student.student_no,
        name=student.name,
        status=entry.status,
        joined_at=entry.joined_at,
        joined_after=entry.joined_after,
        last_seen_at=entry.last_seen_at,
        left_before=entry.left_before,
        minutes=entry.minutes,
        confidence=entry.confidence,
        source=entry.source,
        intervals=entry.intervals,
        machine_status=entry.machine_status,
        remark=entry.remark,
        version=entry.version,
    )


def _edit(student_id: int, line: EditLine) -> Edit:
    said = line.said
    return Edit(
        line.version, student_id, said.status, said.joined_at, said.last_seen_at, said.minutes, said.remark
    )


def edit_lines(rows: Sequence[EditRow]) -> tuple[EditLine, ...]:
    """The edits of one entry, oldest first."""
    return tuple(
        EditLine(
            Said(row.status, row.joined_at, row.last_seen_at, row.minutes, row.remark),
            row.reason,
            row.made_by,
            row.made_at,
            version,
            row.uid,
            row.id,
        )
        for version, row in enumerate(rows, start=2)
    )
