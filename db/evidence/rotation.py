"""Encrypting all crops anew, so that an old key can be thrown away."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.errors import EvidenceError, GridrollError
from db.evidence.archive import Archive
from db.evidence.blobs import MissingBlobError
from db.evidence.claims import claim, condemn
from db.schema import BlobRow, EvidenceRow

__all__ = ["Rotated", "others", "rotate"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """`renewed`: blobs encrypted anew. `failed`: those that could not be read, and why the first of them could not."""

    renewed: int
    failed: int
    reason: str = ""


def rotate(archive: Archive, progress: Progress | None = None, actor: str = SYSTEM) -> Rotated:
    """Encrypt and name every crop under the newest key that is under another one. Safe to repeat and to interrupt.

    A crop that cannot be read is passed over. `progress` is told blobs done, and all. Raises as the archive does.
    """
    newest = archive.keys.newest_id
    needed = select(EvidenceRow.id).where(EvidenceRow.digest == BlobRow.digest).exists()
    query = select(BlobRow.digest).where(BlobRow.key_id != newest, needed).order_by(BlobRow.digest)
    with archive.database.reading() as session:
        names = session.scalars(query).all()
    renewed, reasons = 0, []

    def record(session: Session) -> None:
        if renewed:
            note(session, actor, "evidence.rotated", "evidence", None, {"blobs": renewed, "key": newest})

    try:
        for done, name in enumerate(names, 1):
            try:
                renewed += _renew(archive, name)
            except EvidenceError as error:
                if error.transient:
                    raise
                reasons.append(str(error))
            if progress is not None:
                progress(done, len(names))
    except BaseException:
        with suppress(GridrollError):  # what ended it is what is told
            archive.database.transact(record)
        raise
    archive.database.transact(record)
    archive.purge()
    return Rotated(renewed, len(reasons), reasons[0] if reasons else "")


def others(archive: Archive) -> int:
    """How many crops are under another key than the newest one."""
    query = (
        select(func.count())
        .select_from(EvidenceRow)
        .join(BlobRow, BlobRow.digest == EvidenceRow.digest)
        .where(BlobRow.key_id != archive.keys.newest_id)
    )
    with archive.database.reading() as session:
        return session.scalar(query) or 0


def _renew(archive: Archive, name: str) -> bool:
    """Encrypt one blob anew; False where nobody needs it any more."""
    try:
        plain = archive.keys.open(name, archive.blobs.get(name))
    except MissingBlobError:
        with archive.database.reading() as session:
            if not _is_needed(session, name):  # erased meanwhile, or renewed by somebody else
                return False
        raise
    sealed = archive.keys.seal(plain)
    now = datetime.now(UTC)
    with archive.turns.writing():
        archive.database.transact(lambda session: claim(session, [sealed.name], sealed.key_id, now))
        archive.blobs.put(sealed.name, sealed.content)
    if sealed.name == name:
        return True

    def move(session: Session) -> bool:
        # Whoever erases or attaches meanwhile comes before these locks, or after them.
        held = session.scalars(
            select(BlobRow.digest)
            .where(BlobRow.digest.in_([name, sealed.name]), BlobRow.claimed_at.is_not(None))
            .order_by(BlobRow.digest)
            .with_for_update()
        ).all()
        renewed = len(held) == 2 and _is_needed(session, name)
        if renewed:
            session.execute(update(EvidenceRow).where(EvidenceRow.digest == name).values(digest=sealed.name))
        condemn(session, [name, sealed.name])
        return renewed

    return archive.database.transact(move)


def _is_needed(session: Session, name: str) -> bool:
    return session.scalar(select(EvidenceRow.id).where(EvidenceRow.digest == name).limit(1)) is not None
