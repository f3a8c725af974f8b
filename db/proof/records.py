"""Holds the records against the audit chain: none altered, none missing, none that the chain doesn't know."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.proof.chain import Link, TamperedError
from db.proof.kinds import GONE, KINDS, Key, Kind, Known, kind_of
from db.proof.stored import stored
from db.schema import AttendanceRow, AuditRow, SessionRow

__all__ = ["check_entries", "check_records", "check_told"]

BATCH = 500
SESSIONS = 50
"""Whose entries are looked at together."""

ENTRIES = frozenset({"ledger.folded", "ledger.found"})
"""What tells of entries: the statuses of those that changed, by the student's id."""


def _no_tick() -> None:
    """Whoever waits for the end needs no sign of life."""


def check_told(session: Session, links: Iterable[Link]) -> None:
    """Is every record there that these rows of the chain tell of? Raises TamperedError for the first that is missing."""
    told: dict[Kind, dict[Key, Link]] = defaultdict(dict)
    for link in links:
        kind = kind_of(link.action)
        if kind is None or link.action.endswith(GONE):
            continue
        after = _after(link.detail)
        key = kind.key_in(link.subject, after)
        if key is not None and "digest" in after:
            told[kind][key] = link
    for kind, keys in told.items():
        missing = keys.keys() - _existing(session, kind, keys)
        latest = _known(session, kind, {keys[key].subject for key in missing})
        gone = [
            (keys[key].seq, key) for key in missing if key not in latest or latest[key].digest is not None
        ]
        for seq, key in sorted(gone)[:1]:
            raise TamperedError(f"{kind.says(key)} is missing; row {seq} says what it was like")


def check_records(session: Session, tick: Callable[[], None] = _no_tick) -> int:
    """Is every record as the chain says? Returns how many there are. `tick` is called now and then.

    Raises TamperedError for the first that is not, or of which the chain knows nothing.
    """
    count = 0
    for kind in KINDS:
        try:
            for batch in stored(session, kind):
                known = _known(session, kind, {subject for subject, _, _ in batch})
                for _, key, digest in batch:
                    _hold(kind, key, digest, known.get(key))
                count += len(batch)
                tick()
        except (AttributeError, TypeError, ValueError) as error:  # SQLite keeps anything in any column
            table = kind.model.__tablename__
            raise TamperedError(
                f"the table {table} holds a value that Gridroll never writes ({error})"
            ) from error
    return count


def check_entries(session: Session, tick: Callable[[], None] = _no_tick) -> None:
    """Is each entry's status the last one that the chain tells of it? Raises TamperedError for the first that is not."""
    last = 0
    query = select(SessionRow.id).order_by(SessionRow.id).limit(SESSIONS)
    while ids := session.scalars(query.where(SessionRow.id > last)).all():
        told = _statuses(session, ids)
        columns = (AttendanceRow.session_id, AttendanceRow.student_id, AttendanceRow.status)
        for row in session.execute(select(*columns).where(AttendanceRow.session_id.in_(ids))):
            entry = f"the entry of student {row.student_id} in session {row.session_id}"
            seq, status = told.pop((row.session_id, row.student_id), (None, None))
            if status is None:
                raise TamperedError(f"{entry} is there, and no row of the chain knows of it: it was inserted")
            if status != row.status:
                raise TamperedError(f"{entry} says {row.status!r}, and row {seq} says {status!r}")
        for (session_id, student_id), (seq, status) in told.items():
            if status is not None:
                raise TamperedError(
                    f"the entry of student {student_id} in session {session_id} is missing; row {seq} says {status!r}"
                )
        last = ids[-1]
        tick()


def _hold(kind: Kind, key: Key, digest: str, known: Known | None) -> None:
    if known is None:
        raise TamperedError(
            f"{kind.says(key)} is there, and no row of the chain knows of it: it was inserted"
        )
    if known.digest is None:
        raise TamperedError(f"{kind.says(key)} is there, and row {known.seq} says that it was removed")
    if known.digest != digest:
        raise TamperedError(f"{kind.says(key)} is not as it was recorded in row {known.seq}")


def _existing(session: Session, kind: Kind, keys: Iterable[Key]) -> set[Key]:
    wanted, found = list(keys), set[Key]()
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        # Column by column, which every database answers from an index; what is too much is left out here.
        among = [column.in_({key[place] for key in part}) for place, column in enumerate(kind.columns)]
        found |= {tuple(row) for row in session.execute(select(*kind.columns).where(*among))}
    return found & set(wanted)


def _known(session: Session, kind: Kind, subjects: Iterable[str]) -> dict[Key, Known]:
    """What the chain last says of the kind's records with these subjects."""
    known: dict[Key, Known] = {}
    for seq, action, subject, detail in _told(session, subjects):
        if kind_of(action) is not kind:
            continue
        after = _after(detail)
        key = kind.key_in(subject, after)
        if key is None:
            continue
        if action.endswith(GONE):
            known[key] = Known(seq, None)
        elif "digest" in after:
            known[key] = Known(seq, after["digest"])
    return known


def _statuses(session: Session, session_ids: Iterable[int]) -> dict[tuple[int, int], tuple[int, str | None]]:
    """By session and student: the last row that tells of their entry, and its status; None: there is none any more."""
    subjects = {f"session:{session_id}": session_id for session_id in session_ids}
    told: dict[tuple[int, int], tuple[int, str | None]] = {}
    for seq, action, subject, detail in _told(session, subjects):
        if action in ENTRIES:
            told |= {(subjects[subject], int(one)): (seq, status) for one, status in _after(detail).items()}
    return told


def _told(session: Session, subjects: Iterable[str]) -> Iterator[tuple[int, str, str, str]]:
    wanted = list(subjects)
    columns = (AuditRow.seq, AuditRow.action, AuditRow.subject, AuditRow.detail)
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        query = select(*columns).where(AuditRow.subject.in_(part)).order_by(AuditRow.seq)
        for row in session.execute(query):
            yield row.seq, row.action, row.subject, row.detail


def _after(detail: str) -> Mapping[str, Any]:
    try:
        after = json.loads(detail)["after"]
    except (ValueError, TypeError, KeyError):  # altered, which the walk over the chain finds and names
        return {}
    return after if isinstance(after, dict) else {}
