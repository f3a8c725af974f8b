"""What staff write over entries: rows that are added, never changed. The last one holds, for ever."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import GridrollError
from db.people import find_student, roster_of
from db.presence import STATUSES, Edit
from db.proof import note_record
from db.schema import AttendanceRow, EditRow, SessionRow
from db.sessions import find_session, lock_session

__all__ = ["EditConflictError", "EditError", "NewEdit", "edit_entry", "edits_of", "history_of"]


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
    _check(new)
    lock_session(session, new.session_id)
    row = find_session(session, new.session_id)
    student = find_student(session, new.student_no)
    held = history_of(session, new.session_id, student.id)
    repeated = next((edit for edit in held if new.uid and edit.uid == new.uid), None)
    if repeated is not None:
        if all(getattr(repeated, name) == getattr(new, name) for name in WRITTEN):
            return 1 + len(held)
        raise EditConflictError(
            f"another edit of the entry of {student.name} was handed in as {new.uid}; read it again, then edit it",
            1 + len(held),
        )
    if new.expected_version is not None and new.expected_version != 1 + len(held):
        raise EditConflictError(
            _conflict(student.name, held[max(new.expected_version - 1, 0) :]), 1 + len(held)
        )
    if not held and not _is_expected(session, row, student.id):
        raise EditError(
            f"{student.name} ({new.student_no}) is not on the roster of {row.course.code}; import it with them first"
        )
    edit = EditRow(
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
        made_at=datetime.now(UTC),
    )
    session.add(edit)
    session.flush()
    note_record(
        session,
        new.made_by,
        "entry.edited",
        edit,
        _plain(held[-1]) if held else None,
        _plain(edit),
        new.reason,
    )
    return 2 + len(held)


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


def _check(new: NewEdit) -> None:
    if new.status is not None and new.status not in STATUSES:
        raise EditError(f"status {new.status!r} is not known; take one of {', '.join(STATUSES)}")
    if not new.reason.strip():
        raise EditError("an edit needs a reason; say why, for those who read it later")
    if new.minutes is not None and not 0 <= new.minutes <= 24 * 60:
        raise EditError(f"{new.minutes:g} minutes cannot be; give 0 to 1440")
    if len(new.remark) > 500:
        raise EditError(f"the remark has {len(new.remark)} characters; at most 500 fit")
    if len(new.uid) > 36:
        raise EditError(f"the edit's uid {new.uid[:12]!r}… has {len(new.uid)} characters; at most 36 fit")
    if new.joined_at is not None and new.last_seen_at is not None and new.last_seen_at < new.joined_at:
        raise EditError(
            f"joined at {new.joined_at:%H:%M:%S} and last seen at {new.last_seen_at:%H:%M:%S} cannot both be; "
            "give times in their order"
        )


def _is_expected(session: Session, row: SessionRow, student_id: int) -> bool:
    entry = select(AttendanceRow.id).where(
        AttendanceRow.session_id == row.id, AttendanceRow.student_id == student_id
    )
    return student_id in roster_of(session, row.course_id) or session.scalar(entry) is not None


def _conflict(name: str, others: list[EditRow]) -> str:
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
