"""Encrypting all crops and photographs anew, so that an old key can be thrown away."""

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
from db.evidence.claims import claim, condemn, is_needed, needed
from db.schema import BlobRow, EvidenceRow, PhotoRow

__all__ = ["Rotated", "others", "rotate"]

Progress = Callable[[int, int], None]

HOLDERS: tuple[type[EvidenceRow] | type[PhotoRow], ...] = (EvidenceRow, PhotoRow)
"""What lies in blobs."""


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
    query = select(BlobRow.digest).where(BlobRow.key_id != newest, needed()).order_by(BlobRow.digest)
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
    """How many crops and photographs are under another key than the newest one."""
    with archive.database.reading() as session:
        return sum(
            session.scalar(
                select(func.count())
                .select_from(kind)
                .join(BlobRow, BlobRow.digest == kind.digest)
                .where(BlobRow.key_id != archive.keys.newest_id)
            )
            or 0
            for kind in HOLDERS
        )


def _renew(archive: Archive, name: str) -> bool:
    """Encrypt one blob anew; False where nobody needs it any more."""
    try:
        plain = archive.keys.open(name, archive.blobs.get(name))
    except MissingBlobError:
        with archive.database.reading() as session:
            if not is_needed(session, name):  # erased meanwhile, or renewed by somebody else
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
        renewed = len(held) == 2 and is_needed(session, name)
        for kind in HOLDERS if renewed else ():
            session.execute(update(kind).where(kind.digest == name).values(digest=sealed.name))
        condemn(session, [name, sealed.name])
        return renewed

    return archive.database.transact(move)
