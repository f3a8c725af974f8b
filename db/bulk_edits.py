"""Several entries written over at once, and edits taken back: what can be done is done, and what cannot is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.edits import (
    EditConflictError,
    EditError,
    NewEdit,
    add_edits,
    expected_in,
    histories_of,
    is_repeated,
    not_expected,
    refuse_edit,
)
from db.entries import LONGEST_REASON, EditLine, Said, edit_lines
from db.ledger import refold
from db.schema import EditRow, SessionRow, Student
from db.sessions import find_session, lock_session

__all__ = ["MACHINE", "Change", "Outcome", "RowOutcome", "change_entries", "undo_edits"]

MACHINE = "machine"
MOST = 5000
"""Entries in one go: more than any class has."""

UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Change:
    """What is written over several entries alike. An empty field leaves each entry as it is.

    `status`: `machine` leaves the status to the machine.
    """

    status: str = ""
    remark: str = ""

    def of(self, said: Said) -> Said:
        status = {"": said.status, MACHINE: None}.get(self.status, self.status)
        return replace(said, status=status, remark=self.remark or said.remark)


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one entry: `saved`, `unchanged` (it says just that already), `overtaken` (that was saved before, and the
    entry was edited since), `conflict` or `refused`.

    `others`: the edits that came in between; `refusal`: why it cannot be, empty for the other outcomes.
    """

    student_no: str
    name: str
    version: int
    result: str
    others: tuple[EditLine, ...] = ()
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`edits`: the numbers of the first and the last edit that were made, to take them back by; None: none was."""

    rows: tuple[RowOutcome, ...]
    edits: tuple[int, int] | None

    def of(self, result: str) -> list[RowOutcome]:
        return [row for row in self.rows if row.result == result]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One edit that somebody wants. `held`: those before it; `told`: what staff say of the entry where it is read."""

    student: Student
    held: Sequence[EditRow]
    new: NewEdit
    told: Said


def change_entries(
    session: Session,
    session_id: int,
    change: Change,
    versions: Mapping[str, int],
    reason: str,
    made_by: str,
    seed: str,
) -> Outcome:
    """Write over these entries and fold their session once. `versions`: by student number, as their editor saw them.

    An entry that somebody else edited since is left alone and named; the others are saved. The same `seed` again counts
    once. Raises EditError for what can be done to none of them, NotFoundError for a session that is none.
    """
    _check(change, versions, reason)
    lock_session(session, session_id)
    row = find_session(session, session_id)
    students = {
        one.student_no: one
        for one in session.scalars(select(Student).where(Student.student_no.in_(list(versions))))
    }
    histories = histories_of(session, session_id, [one.id for one in students.values()])
    expected = expected_in(session, row)
    wanted, outcomes = list[_Wanted](), dict[str, RowOutcome]()
    for number, version in versions.items():
        student = students.get(number)
        held = [] if student is None else histories.get(student.id, [])
        if student is None or (not held and student.id not in expected):
            refusal = str(not_expected(number, row))
            outcomes[number] = RowOutcome(number, number, version, "refused", refusal=refusal)
            continue
        uid = str(uuid5(NAMESPACE_URL, f"gridroll/{session_id}/{number}/{seed}"))
        place = next((index for index, edit in enumerate(held) if edit.uid == uid), len(held))
        said = _said(held[:place])
        new = _edit(session_id, student, change.of(said), reason, made_by, version, uid)
        wanted.append(_Wanted(student, held, new, said))
    return _write(session, row, wanted, outcomes)


def undo_edits(session: Session, session_id: int, first: int, last: int, made_by: str) -> Outcome:
    """Take back somebody's own edits of a session, from the `first` number to the `last`: what staff said before holds.

    The rows stay, and new ones say so. Entries that were edited since are left alone and named. Taking back twice counts
    once. Raises EditError where there is nothing of theirs to take back, NotFoundError.
    """
    lock_session(session, session_id)
    row = find_session(session, session_id)
    query = select(EditRow.id, EditRow.student_id).where(
        EditRow.session_id == session_id, EditRow.id.between(first, last), EditRow.made_by == made_by
    )
    made: dict[int, list[int]] = {}
    for edit_id, student_id in session.execute(query.order_by(EditRow.id).limit(MOST)):
        made.setdefault(student_id, []).append(edit_id)
    if not made:
        raise EditError("there is nothing of yours to take back here; open the entry and edit it instead")
    histories = histories_of(session, session_id, made)
    people = session.scalars(select(Student).where(Student.id.in_(list(made)))).all()
    wanted = []
    for student in people:
        held = histories[student.id]
        place = next(index for index, edit in enumerate(held) if edit.id == made[student.id][0])
        seen = 2 + next(index for index, edit in enumerate(held) if edit.id == made[student.id][-1])
        uid = str(uuid5(NAMESPACE_URL, f"gridroll/undo/{held[place].uid}"))
        new = _edit(session_id, student, _said(held[:place]), UNDONE, made_by, seen, uid)
        wanted.append(_Wanted(student, held, new, _said(held[: seen - 1])))
    return _write(session, row, wanted, {})


def _write(
    session: Session, row: SessionRow, wanted: Sequence[_Wanted], outcomes: dict[str, RowOutcome]
) -> Outcome:
    writing = list[tuple[NewEdit, Student, Sequence[EditRow]]]()
    repeated = list[int]()
    for one in wanted:
        number, name = one.student.student_no, one.student.name
        new, version = one.new, 1 + len(one.held)
        try:
            again = is_repeated(new, one.student, one.held)
        except EditConflictError:
            # Sent before, changed, and sent again: another edit.
            new, again = replace(new, uid=""), False
        if again:
            if one.held[-1].uid == new.uid:
                repeated.append(one.held[-1].id)
                outcomes[number] = RowOutcome(number, name, version, "saved")
            else:
                outcomes[number] = RowOutcome(number, name, version, "overtaken")
            continue
        try:
            refuse_edit(new, one.student, one.held, row)
        except EditConflictError:
            others = edit_lines(one.held)[max((new.expected_version or 1) - 1, 0) :]
            outcomes[number] = RowOutcome(number, name, version, "conflict", others)
            continue
        except EditError as error:
            outcomes[number] = RowOutcome(number, name, version, "refused", refusal=str(error))
            continue
        if (new.status, new.joined_at, new.last_seen_at, new.minutes, new.remark) == _fields(one.told):
            outcomes[number] = RowOutcome(number, name, version, "unchanged")
            continue
        writing.append((new, one.student, one.held))
        outcomes[number] = RowOutcome(number, name, version + 1, "saved")
    rows = add_edits(session, writing)
    if rows:
        refold(session, row)
    numbers = sorted([*repeated, *(edit.id for edit in rows)])
    return Outcome(tuple(outcomes.values()), (numbers[0], numbers[-1]) if numbers else None)


def _check(change: Change, versions: Mapping[str, int], reason: str) -> None:
    if not versions:
        raise EditError("no row is ticked; tick those that you want to change")
    if len(versions) > MOST:
        raise EditError(f"{len(versions)} rows are ticked; at most {MOST} can be changed in one go")
    if not change.status and not change.remark:
        raise EditError("choose a status or write a remark for the ticked rows")
    if len(reason) > LONGEST_REASON:
        raise EditError(
            f"the reason has {len(reason)} characters; at most {LONGEST_REASON} fit, write what matters"
        )
    # What is wrong with each of them alike is told once.
    refuse_edit(
        NewEdit(0, "", reason, "", change.of(Said()).status, remark=change.remark),
        Student(id=0, student_no="", name="", email=""),
        [],
    )


def _edit(
    session_id: int, student: Student, said: Said, reason: str, made_by: str, version: int, uid: str
) -> NewEdit:
    return NewEdit(
        session_id=session_id,
        student_no=student.student_no,
        reason=reason,
        made_by=made_by,
        status=said.status,
        joined_at=said.joined_at,
        last_seen_at=said.last_seen_at,
        minutes=said.minutes,
        remark=said.remark,
        expected_version=version,
        uid=uid,
    )


def _said(held: Sequence[EditRow]) -> Said:
    return edit_lines(held)[-1].said if held else Said()


def _fields(said: Said) -> tuple[object, ...]:
    return said.status, said.joined_at, said.last_seen_at, said.minutes, said.remark
