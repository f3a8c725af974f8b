"""Reads the records that the audit chain vouches for, in batches, each with its digest."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note, seal
from db.proof.kinds import KINDS, Key, Kind
from db.record_digests import (
    LOOK_FIELDS,
    NAMING_FIELDS,
    SIGHTING_FIELDS,
    record_digest,
    stored_look_digest,
)
from db.schema import AttendanceRow, AuditHead, LookRow, NamingRow, SightingRow

__all__ = ["Stored", "begin_chain", "stored"]

BATCH = 500
Stored = tuple[str, Key, str]
"""A record: its subject in the chain, its key, its digest."""


def stored(session: Session, kind: Kind) -> Iterator[list[Stored]]:
    """The kind's records in the order of their keys. Memory: that of one batch."""
    if kind.model is LookRow:
        yield from _looks(session, kind)
        return
    (column,) = inspect(kind.model).primary_key
    last = None
    while True:
        query = select(kind.model).order_by(column).limit(BATCH)
        rows = session.scalars(query if last is None else query.where(column > last)).all()
        if not rows:
            return
        last = getattr(rows[-1], inspect(kind.model).get_property_by_column(column).key)
        yield [(kind.subject_of(row), kind.key_of(row), record_digest(row)) for row in rows]
        for row in rows:
            session.expunge(row)


def begin_chain(session: Session) -> int:
    """Note what is there already, where the chain is still empty: an older version kept none. Returns how many records."""
    head = session.scalar(select(AuditHead).where(AuditHead.id == 1).with_for_update())
    if head is None or head.seq:
        return 0
    count = 0
    for kind in KINDS:
        for batch in stored(session, kind):
            for subject, key, digest in batch:
                named = {} if kind.named is None else {kind.named: key[0]}
                note(session, SYSTEM, f"{kind.actions[0]}.found", subject, None, {**named, "digest": digest})
            count += len(batch)
            seal(session)
    _find_entries(session)
    seal(session)
    if count:
        note(session, SYSTEM, "chain.began", "chain", None, {"records": count}, "kept by an older version")
    return count


def _find_entries(session: Session) -> None:
    query = select(AttendanceRow.session_id, AttendanceRow.student_id, AttendanceRow.status)
    entries = session.execute(query.order_by(AttendanceRow.session_id))
    for session_id, rows in groupby(entries, key=lambda row: row.session_id):
        after = {str(row.student_id): row.status for row in rows}
        note(session, SYSTEM, "ledger.found", f"session:{session_id}", None, after)


def _looks(session: Session, kind: Kind) -> Iterator[list[Stored]]:
    last = 0
    while True:
        query = select(LookRow.id, *_columns(LookRow, LOOK_FIELDS)).where(LookRow.id > last)
        looks = session.execute(query.order_by(LookRow.id).limit(BATCH)).all()
        if not looks:
            return
        last = looks[-1].id
        ids = [look.id for look in looks]
        sightings = _by_look(session, SightingRow, SIGHTING_FIELDS, ids)
        namings = _by_look(session, NamingRow, NAMING_FIELDS, ids)
        yield [
            (
                kind.subject_of(look),
                kind.key_of(look),
                stored_look_digest(look[1:], sightings[look.id], namings[look.id]),
            )
            for look in looks
        ]


def _by_look(
    session: Session, model: type[SightingRow | NamingRow], fields: Sequence[str], look_ids: Sequence[int]
) -> dict[int, list[Sequence[Any]]]:
    found: dict[int, list[Sequence[Any]]] = defaultdict(list)
    query = select(model.look_id, *_columns(model, fields)).where(model.look_id.in_(look_ids))
    for row in session.execute(query):
        found[row[0]].append(row[1:])
    return found


def _columns(model: type[Any], fields: Iterable[str]) -> list[Any]:
    return [getattr(model, field) for field in fields]
