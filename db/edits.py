"""What staff write over entries: rows that are added, never changed. The last one holds, for ever."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import GridrollError, NotFoundError
from db.people import roster_ids
from db.presence import STATUSES, Edit
from db.proof import note_record
from db.schema import AttendanceRow, EditRow, SessionRow, Student
from db.sessions import find_session, lock_session

__all__ = [
    "EditConflictError",
    "EditError",
    "NewEdit",
    "add_edits",
    "edit_entry",
    "edits_of",
    "expected_in",
    "find_expected",
    "histories_of",
    "history_of",
    "is_near",
    "is_repeated",
    "not_expected",
    "refuse_edit",
]


MINUTE = timedelta(minutes=1)
AROUND = timedelta(hours=1)
"""How long before and after a class somebody may still have been seen for it."""

WRITTEN = ("status", "joined_at", "last_seen_at", "minutes", "remark", "reason")


class EditError(GridrollError):
    """An edit that cannot be made."""


class EditConflictError(EditError):
    """Somebody else edited the entry since it was read. `version`: the entry's as it is now."""

    def __init__(self, message: str, version: int) -> None:
        super().__init__(message)
        self.version = version


@dataclass(frozen=True, slots=True)
class NewEdit:
    """An entry as staff want it; None leaves a field to the machine, all None and no remark hands the entry back to it.

    `expected_version`: of the entry as its editor saw it; None: whatever it is by now. `uid`: of 36 characters at most;
    the same edit handed in twice has the same and counts once.
    """

    session_id: int
    student_no: str
    reason: str
    made_by: str
    status: str | None = None
    joined_at: datetime | None = None
    last_seen_at: datetime | None = None
    minutes: float | None = None
    remark: str = ""
    expected_version: int | None = None
    uid: str = ""


def edit_entry(session: Session, new: NewEdit) -> int:
    """Write over an entry; returns its new version. The caller folds the session (`db.ledger.refold`).

    Raises EditConflictError, telling what the others changed; EditError for values that cannot be; NotFoundError.
    """
    lock_session(session, new.session_id)
    row = find_session(session, new.session_id)
    student = find_expected(session, row, new.student_no)
    held = history_of(session, new.session_id, student.id)
    refuse_edit(new, student, held, row)
    if is_repeated(new, student, held):
        return 1 + len(held)
    add_edits(session, [(new, student, held)])
    return 2 + len(held)


def refuse_edit(
    new: NewEdit, student: Student, held: Sequence[EditRow], row: SessionRow | None = None
) -> None:
    """Raise EditError for values that cannot be, EditConflictError where others edited the entry (`held`) meanwhile.

    `row`: the session against which times and minutes are held; None where the edit has none.
    """
    if row is not None:
        _check_times(new, held, row)
    _check(new)
    if is_repeated(new, student, held):
        return
    if new.expected_version is not None and new.expected_version != 1 + len(held):
        raise EditConflictError(
            _conflict(student.name, held[max(new.expected_version - 1, 0) :]), 1 + len(held)
        )


def is_near(moment: datetime, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether somebody may have been there for the class at that moment: agents look a little before it and after it."""
    return starts_at - AROUND <= moment <= ends_at + AROUND


def is_repeated(new: NewEdit, student: Student, held: Sequence[EditRow]) -> bool:
    """Whether the very same edit was handed in before. Raises EditConflictError for another one of the same uid."""
    repeated = next((edit for edit in held if new.uid and edit.uid == new.uid), None)
    if repeated is None:
        return False
    if all(getattr(repeated, name) == getattr(new, name) for name in WRITTEN):
        return True
    raise EditConflictError(
        f"another edit of the entry of {student.name} was handed in as {new.uid}; read it again, then edit it",
        1 + len(held),
    )


def add_edits(
    session: Session, wanted: Sequence[tuple[NewEdit, Student, Sequence[EditRow]]]
) -> list[EditRow]:
    """Write edits that were not refused, each with its student and the edits before it; returns the new rows."""
    now = datetime.now(UTC)
    rows = [
        EditRow(
            uid=new.uid or str(uuid4()),
            session_id=new.session_id,
            student_id=student.id,
            status=new.status,
            joined_at=new.joined_at,
            last_seen_at=new.last_seen_at,
            minutes=new.minutes,
            remark=new.remark,
            reason=new.reason,
            made_by=new.made_by,
            made_at=now,
        )
        for new, student, _ in wanted
    ]
    session.add_all(rows)
    session.flush()
    for edit, (new, _, held) in zip(rows, wanted, strict=True):
        before = _plain(held[-1]) if held else None
        note_record(session, new.made_by, "entry.edited", edit, before, _plain(edit), new.reason)
    return rows


def edits_of(session: Session, session_id: int) -> list[Edit]:
    """All edits of one session as the rules want them."""
    query = select(EditRow).where(EditRow.session_id == session_id)
    return [
        Edit(row.id, row.student_id, row.status, row.joined_at, row.last_seen_at, row.minutes, row.remark)
        for row in session.scalars(query)
    ]


def history_of(session: Session, session_id: int, student_id: int) -> list[EditRow]:
    """The edits of one entry in the order in which they were made."""
    query = select(EditRow).where(EditRow.session_id == session_id, EditRow.student_id == student_id)
    return list(session.scalars(query.order_by(EditRow.id)))


def histories_of(session: Session, session_id: int, student_ids: Collection[int]) -> dict[int, list[EditRow]]:
    """`history_of` for several students at once; nothing for those whose entry nobody edited."""
    query = select(EditRow).where(EditRow.session_id == session_id, EditRow.student_id.in_(student_ids))
    found: dict[int, list[EditRow]] = defaultdict(list)
    for row in session.scalars(query.order_by(EditRow.id)):
        found[row.student_id].append(row)
    return dict(found)


def expected_in(session: Session, row: SessionRow) -> frozenset[int]:
    """The ids of those of whom the session may have an entry: the roster, and who has one already."""
    entries = select(AttendanceRow.student_id).where(AttendanceRow.session_id == row.id)
    return roster_ids(session, row) | frozenset(session.scalars(entries))


def find_expected(session: Session, row: SessionRow, student_no: str) -> Student:
    """The student, of whom the session has an entry or may have one. Raises NotFoundError, alike for all others."""
    student = session.scalar(select(Student).where(Student.student_no == student_no))
    if student is None or not (
        student.id in expected_in(session, row) or history_of(session, row.id, student.id)
    ):
        raise not_expected(student_no, row)
    return student


def not_expected(student_no: str, row: SessionRow) -> NotFoundError:
    """Says the same of a number that nobody has and of one of another course: who that is, is not told here."""
    return NotFoundError(
        f"no student {student_no!r} is on the roster of {row.course.code} or has an entry in session {row.id}; "
        "import the roster with them first"
    )


def _check(new: NewEdit) -> None:
    if new.status is not None and new.status not in STATUSES:
        raise EditError(f"status {new.status!r} is not known; take one of {', '.join(STATUSES)}")
    if not new.reason.strip():
        raise EditError("an edit needs a reason; say why, for those who read it later")
    if new.minutes is not None and not 0 <= new.minutes <= 24 * 60:
        raise EditError(f"a length of {new.minutes:g} minutes cannot be; give 0 to 1440")
    if len(new.remark) > 500:
        raise EditError(f"the remark has {len(new.remark)} characters; at most 500 fit")
    if len(new.uid) > 36:
        raise EditError(f"the edit's uid {new.uid[:12]!r}… has {len(new.uid)} characters; at most 36 fit")
    if new.joined_at is not None and new.last_seen_at is not None and new.last_seen_at < new.joined_at:
        raise EditError(
            f"joined at {new.joined_at:%H:%M:%S} and last seen at {new.last_seen_at:%H:%M:%S} cannot both be; "
            "give times in their order"
        )


def _check_times(new: NewEdit, held: Sequence[EditRow], row: SessionRow) -> None:
    # What was said before there was this rule can be left as it is, and taken back to.
    joined, left, minutes = new.joined_at, new.last_seen_at, new.minutes
    length = (row.ends_at - row.starts_at) / MINUTE
    for moment in (joined, left):
        if moment is None or any(moment in {edit.joined_at, edit.last_seen_at} for edit in held):
            continue
        if not is_near(moment, row.starts_at, row.ends_at):
            raise EditError(_far(moment, row))
    if minutes is None or any(
        (edit.joined_at, edit.last_seen_at, edit.minutes) == (joined, left, minutes) for edit in held
    ):
        return
    if minutes > length:
        raise EditError(f"{minutes:g} minutes are more than the session's {length:g}; correct them")
    # A minute more is let pass, for times are often given without their seconds.
    if joined is not None and left is not None and joined <= left < joined + (minutes - 1) * MINUTE:
        zone = ZoneInfo(row.course.time_zone)
        raise EditError(
            f"{minutes:g} minutes do not fit between {joined.astimezone(zone):%H:%M:%S} and "
            f"{left.astimezone(zone):%H:%M:%S}; correct them or the times"
        )


def _far(moment: datetime, row: SessionRow) -> str:
    zone = ZoneInfo(row.course.time_zone)
    there, begins, ends = (one.astimezone(zone) for one in (moment, row.starts_at, row.ends_at))
    return (
        f"{there:%Y-%m-%d %H:%M:%S} is not within the class; give a time from {begins:%Y-%m-%d %H:%M} to "
        f"{ends:%H:%M} in {row.course.time_zone}"
    )


def _conflict(name: str, others: Sequence[EditRow]) -> str:
    if not others:
        return f"the entry of {name} has no such version; read it again, then edit it"
    last = others[-1]
    changes = ", ".join(
        f"{field} {value}" for field, value in _plain(last).items() if value not in {None, ""}
    )
    return (
        f"{last.made_by} edited the entry of {name} at {last.made_at:%Y-%m-%d %H:%M:%S} UTC "
        f"({changes or 'handed back to the machine'}; reason: {last.reason}); read it again, then decide"
    )


def _plain(edit: EditRow) -> dict[str, str | float | None]:
    def moment(value: datetime | None) -> str | None:
        return None if value is None else value.astimezone(UTC).isoformat()

    return {
        "status": edit.status,
        "joined_at": moment(edit.joined_at),
        "last_seen_at": moment(edit.last_seen_at),
        "minutes": edit.minutes,
        "remark": edit.remark,
    }
