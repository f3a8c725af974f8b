"""Which blobs there are, or are about to be, and who needs them.

A writer claims a blob, writes it, and then attaches it to its look, or to the student whose photograph it is. Whoever wants it gone condemns it, deletes its bytes
while nobody can claim it (`turns.py`), and removes the row. A claim revives what is condemned, for its bytes are about to be written; a
look takes no blob that is condemned or gone. So a row never points to nothing, whoever is killed when.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from db.errors import EvidenceError
from db.evidence.blobs import Blob
from db.evidence.erased import erased_tracks
from db.schema import BlobRow, EvidenceRow, PhotoRow
from db.upsert import upsert

__all__ = [
    "Kept",
    "KeptPhoto",
    "adopt",
    "attach",
    "batches",
    "claim",
    "condemn",
    "condemned",
    "drop",
    "hold",
    "is_needed",
    "needed",
    "orphans",
]

BATCH = 500
"""Values in one statement; SQLite takes some thousands at most."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Kept:
    """A crop that is in the store and waits for its look's row. `bytes`: of the plain picture."""

    track: str
    digest: str
    bytes: int
    keep_until: datetime


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A photograph that is in the store and waits for its row. `bytes`: of the plain picture."""

    digest: str
    bytes: int


def needed() -> ColumnElement[bool]:
    """Whether a crop or a photograph lies in a blob, in a query of `BlobRow`."""
    return or_(
        select(EvidenceRow.id).where(EvidenceRow.digest == BlobRow.digest).exists(),
        select(PhotoRow.id).where(PhotoRow.digest == BlobRow.digest).exists(),
    )


def is_needed(session: Session, name: str) -> bool:
    return bool(_needed_of(session, [name]))


def claim(session: Session, names: Collection[str], key_id: str, now: datetime) -> None:
    """Say that these blobs are about to be written."""
    rows = [{"digest": name, "key_id": key_id, "claimed_at": now} for name in sorted(names)]
    upsert(session, BlobRow, rows, ["digest"], ["key_id", "claimed_at"])


def attach(session: Session, session_id: int, look_id: int, kept: Sequence[Kept]) -> None:
    """Give a look its crops, in the transaction that stores it, after its namings.

    A crop that was erased meanwhile is left out, and one of somebody who was.
    """
    if not kept:
        return
    erased = erased_tracks(session, session_id, {one.track for one in kept})
    unwanted = {one.digest for one in kept if one.track in erased}
    kept = [one for one in kept if one.track not in erased]
    held = _locked(session, {one.digest for one in kept})
    session.add_all(
        EvidenceRow(
            session_id=session_id,
            look_id=look_id,
            track=one.track,
            digest=one.digest,
            bytes=one.bytes,
            keep_until=one.keep_until,
        )
        for one in kept
        if held.get(one.digest) is not None
    )
    # Written after it was erased: it would lie there unknown.
    gone = {one.digest for one in kept} - held.keys()
    _add(session, dict.fromkeys(gone | unwanted))
    session.flush()
    condemn(session, unwanted)


def hold(session: Session, kept: KeptPhoto) -> None:
    """Keep a photograph's blob from being deleted until the transaction ends, which gives it its row.

    Raises EvidenceError, transient, where it was deleted meanwhile.
    """
    if _locked(session, [kept.digest]).get(kept.digest) is None:
        raise EvidenceError("the photograph was removed while it was being stored; hand it in again", True)


def orphans(session: Session, before: datetime, limit: int | None = None) -> Sequence[str]:
    """Blobs claimed before a moment that no row needs: of looks and photographs that were never stored."""
    query = select(BlobRow.digest).where(BlobRow.claimed_at < before, ~needed())
    return session.scalars(query.limit(limit)).all()


def condemn(session: Session, names: Iterable[str], before: datetime | None = None) -> None:
    """Doom those of the blobs that no row needs. `before`: and that were claimed before that moment; None: whenever."""
    for some in batches(sorted(set(names))):
        held = _locked(session, some)
        # After the locks, for whoever held one may have attached the blob.
        wanted = _needed_of(session, some)
        doomed = [
            name
            for name, claimed_at in held.items()
            if name not in wanted and claimed_at is not None and (before is None or claimed_at < before)
        ]
        session.execute(update(BlobRow).where(BlobRow.digest.in_(doomed)).values(claimed_at=None))


def condemned(session: Session) -> Sequence[str]:
    """The blobs that are to be deleted."""
    return session.scalars(select(BlobRow.digest).where(BlobRow.claimed_at.is_(None))).all()


def is_condemned(session: Session, name: str) -> bool:
    """Whether the blob is still to be deleted. It stays so until the transaction ends: claims wait."""
    held = _locked(session, [name])
    return name in held and held[name] is None


def drop(session: Session, name: str) -> None:
    """Forget a blob whose bytes are gone."""
    session.execute(delete(BlobRow).where(BlobRow.digest == name, BlobRow.claimed_at.is_(None)))


def adopt(session: Session, blobs: Iterable[Blob]) -> None:
    """Take note of blobs that the database may know nothing of: a backup that is older than the store was restored."""
    _add(session, {one.name: one.stored_at for one in blobs})


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """The items in lists of at most `size`."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _needed_of(session: Session, names: Collection[str]) -> set[str]:
    """Those of the blobs that a row needs."""
    crops = session.scalars(select(EvidenceRow.digest).where(EvidenceRow.digest.in_(names)))
    photos = session.scalars(select(PhotoRow.digest).where(PhotoRow.digest.in_(names)))
    return {*crops, *photos}


def _add(session: Session, blobs: Mapping[str, datetime | None]) -> None:
    """Add blobs by name with the moment of their claim; one that is known already is left as it is."""
    rows = [{"digest": name, "key_id": "", "claimed_at": blobs[name]} for name in sorted(blobs)]
    upsert(session, BlobRow, rows, ["digest"])


def _locked(session: Session, names: Collection[str]) -> dict[str, datetime | None]:
    """Since when each of the blobs is claimed; they stay so until the transaction ends."""
    query = (
        select(BlobRow.digest, BlobRow.claimed_at)
        .where(BlobRow.digest.in_(names))
        .order_by(BlobRow.digest)
        .with_for_update()
    )
    return {row.digest: row.claimed_at for row in session.execute(query)}
