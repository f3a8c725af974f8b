"""Writes what the rules say of a session into its attendance rows, balances and reviews."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.database import Database
from db.due import due_sessions, take_due
from db.errors import DatabaseError, GridrollError
from db.records import records_of
from db.rules import Balance, Doubt, Entry, Interval, Ledger
from db.schema import AttendanceRow, IntervalRow, LookRow, ReviewRow, SessionRow
from db.sessions import find_session, lock_session
from db.upsert import upsert

__all__ = ["catch_up", "opens", "refold", "stored_entries", "told_balance"]

KEY = ("session_id", "student_id")
FOLDED = (
    *("status", "machine_status", "joined_at", "joined_after", "last_seen_at", "left_before"),
    *("minutes", "confidence", "source", "remark", "version"),
)
"""Columns of an entry that the rules decide."""

STAY = ("seen_from", "seen_to", "not_before", "not_after")


def catch_up(database: Database, session_id: int | None = None) -> int:
    """Fold the ledgers that are due, of one session or of all; returns how many were.

    Safe to call from any thread and program, at any time. What several of them stored is folded once.
    """
    with database.reading() as session:
        due = due_sessions(session, session_id)
    folded, failed = 0, list[tuple[int, Exception]]()
    for one in due:
        try:
            folded += database.transact(partial(_fold_due, session_id=one))
        except Exception as error:  # the other sessions shall not wait for one that is damaged
            failed.append((one, error))
    if failed:
        number, first = failed[0]
        if isinstance(first, GridrollError):
            raise first
        raise DatabaseError(
            f"session {number} cannot be folded ({first}); restore it from a backup"
        ) from first
    return folded


def _fold_due(session: Session, session_id: int) -> bool:
    lock_session(session, session_id)
    if not take_due(session, session_id):
        return False
    refold(session, find_session(session, session_id))
    return True


def refold(session: Session, row: SessionRow) -> Ledger:
    """Fold all records of a session anew and store the differences.

    Safe to repeat: the same records give the same rows. The caller holds a writing session; two of them on one session
    take turns at the session's row.
    """
    lock_session(session, row.id)
    session.flush()
    records = records_of(session, row)
    ledger = records.ledger()
    _store_entries(session, row.id, records.roster, ledger.entries)
    _store_balances(session, row.id, ledger.balances)
    _store_doubts(session, row.id, ledger.doubts)
    session.flush()
    return ledger


def stored_entries(session: Session, session_id: int) -> dict[int, Entry]:
    """The entries as they are stored, by student id."""
    stays: dict[int, list[Interval]] = defaultdict(list)
    for student_id, *moments in session.execute(
        select(AttendanceRow.student_id, *(getattr(IntervalRow, name) for name in STAY))
        .join(IntervalRow, IntervalRow.attendance_id == AttendanceRow.id)
        .where(AttendanceRow.session_id == session_id)
        .order_by(IntervalRow.seen_from)
    ):
        stays[student_id].append(Interval(*moments))
    columns = (AttendanceRow.student_id, *(getattr(AttendanceRow, name) for name in FOLDED))
    return {
        student_id: Entry(
            student_id, intervals=tuple(stays[student_id]), **dict(zip(FOLDED, values, strict=True))
        )
        for student_id, *values in session.execute(
            select(*columns).where(AttendanceRow.session_id == session_id)
        )
    }


def _store_entries(
    session: Session, session_id: int, roster: frozenset[int], entries: Sequence[Entry]
) -> None:
    held = stored_entries(session, session_id)
    changed = [entry for entry in entries if held.get(entry.student_id) != entry]
    # Who left the roster keeps their entry; who is on it and has none any more enrolled later than was thought.
    gone = held.keys() & roster - {entry.student_id for entry in entries}
    _note_entries(session, session_id, held, entries, gone)
    columns = ("student_id", *FOLDED)
    fresh = [{"session_id": session_id} | {name: getattr(one, name) for name in columns} for one in changed]
    upsert(session, AttendanceRow, fresh, KEY, FOLDED)
    if gone:
        session.execute(
            delete(AttendanceRow).where(
                AttendanceRow.session_id == session_id, AttendanceRow.student_id.in_(gone)
            )
        )
    moved = [
        one
        for one in changed
        if one.student_id not in held or held[one.student_id].intervals != one.intervals
    ]
    _store_intervals(session, session_id, {one.student_id: one.intervals for one in moved})


def _note_entries(
    session: Session,
    session_id: int,
    held: Mapping[int, Entry],
    entries: Sequence[Entry],
    gone: Collection[int],
) -> None:
    """Put on record whose status the machine changed; that they were seen once more is in the looks."""
    before = {one: (row.status, row.source) for one, row in held.items()}
    changed = [entry for entry in entries if before.get(entry.student_id) != (entry.status, entry.source)]
    after = {one.student_id: one.status for one in changed} | dict.fromkeys(gone)
    if after:
        note(
            session,
            SYSTEM,
            "ledger.folded",
            f"session:{session_id}",
            {str(one): before[one][0] for one in after if one in before},
            {str(one): status for one, status in after.items()},
        )


def _store_intervals(session: Session, session_id: int, stays: dict[int, tuple[Interval, ...]]) -> None:
    """Replace the stays of these students."""
    if not stays:
        return
    query = select(AttendanceRow.student_id, AttendanceRow.id).where(
        AttendanceRow.session_id == session_id, AttendanceRow.student_id.in_(stays)
    )
    ids = {student_id: key for student_id, key in session.execute(query)}  # noqa: C416 - dict() knows no row
    rows = [
        {"attendance_id": ids[student_id]} | {name: getattr(stay, name) for name in STAY}
        for student_id, intervals in stays.items()
        for stay in intervals
    ]
    held = select(IntervalRow.id, IntervalRow.attendance_id, IntervalRow.seen_from)
    kept = {(row["attendance_id"], row["seen_from"]) for row in rows}
    over = [
        row.id
        for row in session.execute(held.where(IntervalRow.attendance_id.in_(ids.values())))
        if (row.attendance_id, row.seen_from) not in kept
    ]
    if over:
        session.execute(delete(IntervalRow).where(IntervalRow.id.in_(over)))
    upsert(session, IntervalRow, rows, ("attendance_id", "seen_from"), STAY[1:])


def told_balance(balance: Balance) -> tuple[int, int, int, str]:
    """A balance as a look's row holds it: identified, unknown, reviewed and causes."""
    causes = json.dumps(dict(sorted(balance.causes.items())))
    return balance.identified, balance.unknown, balance.reviewed, causes


def _store_balances(session: Session, session_id: int, balances: Sequence[Balance]) -> None:
    query = select(
        *(LookRow.id, LookRow.uid, LookRow.identified, LookRow.unknown, LookRow.reviewed, LookRow.causes)
    ).where(LookRow.session_id == session_id)
    held = {row.uid: row for row in session.execute(query)}
    alike: dict[tuple[int, int, int, str], list[int]] = defaultdict(list)
    for balance in balances:
        row = held[balance.uid]
        told = told_balance(balance)
        if told != (row.identified, row.unknown, row.reviewed, row.causes):
            alike[told].append(row.id)
    # Many looks have the same balance, and the driver sends changes of single rows one after another.
    for (identified, unknown, reviewed, causes), ids in alike.items():
        session.execute(
            update(LookRow)
            .where(LookRow.id.in_(ids))
            .values(identified=identified, unknown=unknown, reviewed=reviewed, causes=causes)
            .execution_options(synchronize_session=False)
        )


def opens(row: ReviewRow | None, doubt: Doubt) -> bool:
    """Whether a doubt opens a review: where there is none, and where the settled one was about another student."""
    return row is None or (row.state != "open" and doubt.student_id not in {None, row.student_id})


def _store_doubts(session: Session, session_id: int, doubts: Sequence[Doubt]) -> None:
    """Open a review for each new doubt; one that a later look cleared up is withdrawn unless staff settled it.

    A settled one is opened again when the doubt is now about another student.
    """
    held = {
        (row.kind, row.subject): row
        for row in session.scalars(select(ReviewRow).where(ReviewRow.session_id == session_id))
    }
    wanted = {(doubt.kind, doubt.subject): doubt for doubt in doubts}
    became: list[tuple[str, ReviewRow, dict[str, object] | None]] = []
    for key, doubt in wanted.items():
        row = held.get(key)
        if row is None:
            row = ReviewRow(session_id=session_id, kind=doubt.kind, subject=doubt.subject, state="open")
            session.add(row)
            became.append(("review.opened", row, None))
        elif row.state != "open":
            if not opens(row, doubt):
                continue
            became.append(("review.reopened", row, _state(row)))
        row.state = "open"
        row.settled_student_id = row.settled_by = row.settled_at = row.reason = None
        row.student_id, row.rival_id, row.beside = doubt.student_id, doubt.rival_id, doubt.beside
        row.at = doubt.at
    for key, row in held.items():
        if key not in wanted and row.state == "open":
            became.append(("review.withdrawn", row, _state(row)))
            session.delete(row)
    session.flush()
    for action, row, before in became:
        after = None if action == "review.withdrawn" else _state(row)
        note(session, SYSTEM, action, f"session:{session_id}/review:{row.id}", before, after)


def _state(row: ReviewRow) -> dict[str, object]:
    """What the audit chain tells of a review."""
    state: dict[str, object] = {
        "state": row.state,
        "kind": row.kind,
        "about": row.student_id,
        "or": row.rival_id,
    }
    if row.settled_by is not None:
        state |= {"by": row.settled_by, "at": row.settled_at, "student": row.settled_student_id}
    return state
