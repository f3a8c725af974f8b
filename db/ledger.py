"""Writes what the rules say of a session into its attendance rows, balances and reviews."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from db.judgements import rulings_of
from db.looks import looks_of, namings_of
from db.people import indexed_faces, roster_of
from db.rules import Doubt, Entry, Ledger, fold
from db.schema import AttendanceRow, IntervalRow, LookRow, ReviewRow, SessionRow
from db.sessions import lock_session, rules_of, span_of

__all__ = ["refold"]

STAFF = "staff"


def refold(session: Session, row: SessionRow) -> Ledger:
    """Fold all looks of a session anew and store the differences.

    Safe to repeat: the same looks give the same rows. Entries that staff edited keep what staff said.
    The caller holds a writing session; two of them on one session take turns at the session's row.
    """
    lock_session(session, row.id)
    looks = session.scalars(select(LookRow).where(LookRow.session_id == row.id)).all()
    roster = roster_of(session, row.course_id).keys()
    namings = namings_of(session, row.id)
    # Who was recognised here once had a face then, whatever was removed since.
    known = {face.student_id for face in indexed_faces(session, roster)} | {one.student_id for one in namings}
    span, rules = span_of(row), rules_of(row.course)
    ledger = fold(
        looks_of(session, looks),
        namings,
        roster,
        span,
        rules,
        faceless=roster - known,
        rulings=rulings_of(session, row.id),
    )
    _store_entries(session, row.id, ledger.entries)
    _store_balances(looks, ledger)
    _store_doubts(session, row.id, ledger.doubts)
    session.flush()
    return ledger


def _store_entries(session: Session, session_id: int, entries: Sequence[Entry]) -> None:
    query = select(AttendanceRow).options(selectinload(AttendanceRow.intervals))
    held = {
        row.student_id: row for row in session.scalars(query.where(AttendanceRow.session_id == session_id))
    }
    for entry in entries:
        row = held.get(entry.student_id)
        if row is None:
            row = AttendanceRow(
                session_id=session_id,
                student_id=entry.student_id,
                source="system",
                minutes=0.0,
                status="unverified",
            )
            session.add(row)
        _store_entry(row, entry)


def _store_entry(row: AttendanceRow, entry: Entry) -> None:
    if row.source == STAFF:
        return
    first = entry.intervals[0] if entry.intervals else None
    last = entry.intervals[-1] if entry.intervals else None
    row.status = entry.status
    row.joined_at = first.seen_from if first else None
    row.joined_after = first.not_before if first else None
    row.last_seen_at = last.seen_to if last else None
    row.left_before = last.not_after if last else None
    row.minutes = entry.minutes
    row.confidence = entry.confidence
    wanted = [(stay.seen_from, stay.seen_to, stay.not_before, stay.not_after) for stay in entry.intervals]
    for index, stay in enumerate(wanted):
        if index == len(row.intervals):
            row.intervals.append(IntervalRow())
        held = row.intervals[index]
        held.seen_from, held.seen_to, held.not_before, held.not_after = stay
    del row.intervals[len(wanted) :]


def _store_balances(looks: Sequence[LookRow], ledger: Ledger) -> None:
    balances = {balance.uid: balance for balance in ledger.balances}
    for look in looks:
        look.identified = balances[look.uid].identified
        look.unknown = balances[look.uid].unknown
        look.reviewed = balances[look.uid].reviewed


def _store_doubts(session: Session, session_id: int, doubts: Sequence[Doubt]) -> None:
    """Open a review for each new doubt; one that a later look cleared up is withdrawn unless staff settled it.

    A settled one is opened again when the doubt is now about another student.
    """
    held = {
        (row.kind, row.subject): row
        for row in session.scalars(select(ReviewRow).where(ReviewRow.session_id == session_id))
    }
    wanted = {(doubt.kind, doubt.subject): doubt for doubt in doubts}
    for key, doubt in wanted.items():
        row = held.get(key)
        if row is None:
            row = ReviewRow(session_id=session_id, kind=doubt.kind, subject=doubt.subject, state="open")
            session.add(row)
        elif row.state != "open" and doubt.student_id in {None, row.student_id}:
            continue
        row.state = "open"
        row.student_id, row.rival_id, row.beside = doubt.student_id, doubt.rival_id, doubt.beside
        row.at = doubt.at
    for key, row in held.items():
        if key not in wanted and row.state == "open":
            session.delete(row)
