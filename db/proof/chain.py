"""Walks the audit chain from its first row to its head, and stops at the first that is not as it was written."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import row_hash
from db.errors import GridrollError
from db.proof.anchor import Anchor
from db.schema import AuditHead, AuditRow

__all__ = ["Head", "Link", "TamperedError", "head_of", "walk"]

BATCH = 2000
FIRST = "0" * 64
"""What the first row names as the hash of the row before it."""


class TamperedError(GridrollError):
    """Something is not as the audit chain recorded it. The message names the first row or record found."""


class Link(NamedTuple):
    """A row of the chain."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    detail_sha256: str
    prev: str
    hash: str


class Head(NamedTuple):
    """The end of the chain: how many rows there are, and the hash of the last."""

    seq: int
    hash: str


def head_of(session: Session) -> Head:
    """Raises TamperedError where there is none."""
    rows = session.execute(select(AuditHead.id, AuditHead.seq, AuditHead.hash)).all()
    if [row.id for row in rows] != [1]:
        what = "is missing" if not rows else "is not the only row of its table"
        raise TamperedError(f"the head of the audit chain {what}; restore the database from a backup")
    return Head(rows[0].seq, rows[0].hash)


def walk(session: Session, anchors: Sequence[Anchor] = ()) -> Iterator[list[Link]]:
    """Yields the chain's rows in batches, each of them checked; at the end, that the head and the anchors agree.

    Raises TamperedError at the first row that does not.
    """
    head = head_of(session)
    known: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        known.setdefault(anchor.seq, []).append(anchor)
    last: int | None = None
    end = Head(0, FIRST)
    while rows := _rows(session, last):
        for row in rows:
            _check(row, end)
            end = Head(row.seq, row.hash)
            for anchor in known.get(row.seq, ()):
                _hold(anchor, end)
        last = end.seq
        yield rows
    _hold_head(head, end)
    for anchor in anchors:
        if anchor.seq > end.seq:
            raise TamperedError(
                f"the chain ends at row {end.seq}, and the anchor of {anchor.at} is of row {anchor.seq}: "
                f"{_rows_from(end.seq + 1, anchor.seq)} removed"
            )


def _check(row: Link, before: Head) -> None:
    if row.seq != before.seq + 1:
        if row.seq > before.seq + 1:
            raise TamperedError(f"row {before.seq + 1}: {_rows_from(before.seq + 1, row.seq - 1)} removed")
        raise TamperedError(f"row {row.seq} was inserted: the first row is 1")
    try:
        detail_sha256 = hashlib.sha256(row.detail.encode()).hexdigest()
        own = row_hash(row.seq, row.at, row.actor, row.action, row.subject, row.detail_sha256, row.prev)
    except (AttributeError, TypeError, ValueError) as error:
        raise TamperedError(f"row {row.seq} was altered: it holds what Gridroll never writes") from error
    if detail_sha256 != row.detail_sha256:
        raise TamperedError(f"row {row.seq} was altered: its detail is not what its hash says")
    if own != row.hash:
        raise TamperedError(f"row {row.seq} was altered: its fields are not what its hash says")
    if row.prev != before.hash:
        raise TamperedError(
            f"row {row.seq} does not follow row {before.seq}: one of them was replaced, or rows between them removed"
        )


def _hold(anchor: Anchor, found: Head) -> None:
    if anchor.hash != found.hash:
        raise TamperedError(
            f"row {found.seq} is not the one that the anchor of {anchor.at} names: the chain was rebuilt, or the "
            "anchor is of another database"
        )


def _hold_head(head: Head, end: Head) -> None:
    if head.seq > end.seq:
        raise TamperedError(f"row {end.seq + 1}: {_rows_from(end.seq + 1, head.seq)} removed from the end")
    if head.seq < end.seq:
        raise TamperedError(
            f"row {head.seq + 1} is after the head: it was inserted, or the head of the chain altered"
        )
    if head.hash != end.hash:
        raise TamperedError(
            f"row {end.seq} is not the one that the head names: the head of the chain was altered"
        )


def _rows_from(first: int, last: int) -> str:
    return f"row {first} was" if first == last else f"rows {first} to {last} were"


def _rows(session: Session, last: int | None) -> list[Link]:
    columns = [getattr(AuditRow, field) for field in Link._fields]
    query = select(*columns).order_by(AuditRow.seq).limit(BATCH)
    seqs = select(AuditRow.seq).order_by(AuditRow.seq).limit(BATCH)
    if last is not None:
        query, seqs = query.where(AuditRow.seq > last), seqs.where(AuditRow.seq > last)
    try:
        return [Link._make(row) for row in session.execute(query)]
    except (ValueError, TypeError):  # SQLite keeps anything in any column, even where a moment should be
        for seq in session.scalars(seqs).all():
            try:
                session.execute(select(*columns).where(AuditRow.seq == seq)).all()
            except (ValueError, TypeError) as error:
                raise TamperedError(f"row {seq} was altered: its time is none") from error
        raise
