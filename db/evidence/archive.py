"""Keeping crops and photographs, reading them, and letting go of them."""

import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.database import Database
from db.errors import EvidenceError, NotFoundError
from db.evidence.blobs import BlobStore, MissingBlobError, open_blobs
from db.evidence.claims import (
    Kept,
    KeptPhoto,
    adopt,
    batches,
    claim,
    condemn,
    condemned,
    drop,
    is_condemned,
    needed,
    orphans,
)
from db.evidence.exhibits import digest_of, of_guest, of_student, remove_rows
from db.evidence.keys import KeyRing, load_keys
from db.evidence.turns import Turns
from db.schema import BlobRow, EvidenceRow, PhotoRow
from db.settings import Settings

__all__ = ["Archive", "Swept", "open_archive"]

GRACE = timedelta(hours=1)
"""How long a blob may wait for its look to be stored; observations are tried again for about a minute."""

PATIENCE_S = 5.0
"""A look waits for its crops while the database is busy; where it is away, the look itself has to wait too."""

WRITERS = 4
AWAY = 3
"""Deletions in a row that could succeed another time: after these the store counts as away, and is not waited for again."""


@dataclass(frozen=True, slots=True)
class Swept:
    """`expired`: crops whose time was over. `removed`: blobs deleted. `missing`: blobs that looks need and the store lacks.

    `unknown`: blobs of which the database knows nothing, and which were left alone.
    `failure`: why blobs that are to go are still there; None: none is.
    """

    expired: int
    removed: int
    missing: int = 0
    unknown: int = 0
    failure: EvidenceError | None = None


class Archive:
    """The crops, in the ledger's database and a `BlobStore`. Safe to share between threads; `close` gives back the store.

    The keys are loaded when a crop is first kept or read: erasing takes none. Methods raise EvidenceError, ConfigError
    and DatabaseError.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, keys: Callable[[], KeyRing], kept_for: timedelta
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._load_keys = keys
        self._kept_for = kept_for
        self._lock = threading.Lock()
        self._keys: KeyRing | None = None
        self.turns = Turns(database)

    @property
    def keeps(self) -> bool:
        """Whether crops are kept at all."""
        return self._kept_for > timedelta(0)

    @property
    def where(self) -> str:
        return self._blobs.where

    @property
    def blobs(self) -> BlobStore:
        return self._blobs

    @property
    def database(self) -> Database:
        return self._database

    @property
    def keys(self) -> KeyRing:
        """Raises ConfigError."""
        with self._lock:
            if self._keys is None:
                self._keys = self._load_keys()
            return self._keys

    def keep(self, pictures: Mapping[str, bytes]) -> tuple[Kept, ...]:
        """Store pictures by track, to be attached to their look with `claims.attach`; all of them, or it raises.

        What is not attached within an hour is swept away.
        """
        if not self.keeps or not pictures:
            return ()
        now = datetime.now(UTC)
        sealed = {track: self.keys.seal(picture) for track, picture in pictures.items()}
        self._put({one.name: one.content for one in sealed.values()}, now)
        return tuple(
            Kept(track, one.name, len(pictures[track]), now + self._kept_for) for track, one in sealed.items()
        )

    def keep_photo(self, picture: bytes) -> KeptPhoto:
        """Store an enrolment photograph, to be given its row with `db.photos.add_photo` within the hour.

        Photographs are kept however long crops are.
        """
        sealed = self.keys.seal(picture)
        self._put({sealed.name: sealed.content}, datetime.now(UTC))
        return KeptPhoto(sealed.name, len(picture))

    def _put(self, blobs: Mapping[str, bytes], now: datetime) -> None:
        key_id = self.keys.newest_id
        with self.turns.writing():
            self._database.transact(
                lambda session: claim(session, blobs.keys(), key_id, now), patience_s=PATIENCE_S
            )
            with ThreadPoolExecutor(WRITERS, "gridroll-evidence") as pool:
                list(pool.map(self._blobs.put, blobs.keys(), blobs.values()))

    def read(self, evidence_id: int) -> bytes:
        """The picture, a JPEG file, as it was kept. Raises NotFoundError, and EvidenceError for one that was changed."""
        return self._read(
            partial(digest_of, evidence_id=evidence_id),
            f"there is no crop {evidence_id}; 'gridroll evidence list SESSION' shows those that are kept",
        )

    def read_photo(self, photo_id: int) -> bytes:
        """`read` of an enrolment photograph."""
        query = select(PhotoRow.digest).where(PhotoRow.id == photo_id)
        return self._read(lambda session: session.scalar(query), f"there is no photograph {photo_id}")

    def _read(self, find: Callable[[Session], str | None], lacking: str) -> bytes:
        before = None
        while True:
            with self._database.reading() as session:
                digest = find(session)
            if digest is None:
                raise NotFoundError(lacking)
            try:
                return self.keys.open(digest, self._blobs.get(digest))
            except MissingBlobError:
                # Encrypted anew meanwhile, it has another name.
                if digest == before:
                    raise
                before = digest

    def sweep(
        self,
        now: datetime | None = None,
        limit: int | None = None,
        thorough: bool = False,
        remove_unknown: bool = False,
    ) -> Swept:
        """Remove crops whose time is over, and blobs that nobody needs. Safe to repeat, at any time and by several.

        `limit`: so many of each at most; None: all. `thorough`: also compares what the store holds with the database;
        `remove_unknown`: and removes what the database does not know, which may be what another database needs.
        What could not be deleted keeps nothing else from going, and is told in the answer.
        """
        now = now or datetime.now(UTC)
        missing, unknown = self._compare(now - GRACE, remove_unknown) if thorough else (0, 0)

        def expire(session: Session) -> int:
            expired = remove_rows(session, EvidenceRow.keep_until <= now, limit)
            if expired:
                note(session, SYSTEM, "evidence.expired", "evidence", None, {"crops": len(expired)})
            # What somebody claimed just now may be about to be needed again.
            condemn(session, [*expired, *orphans(session, now - GRACE, limit)], now - GRACE)
            return len(expired)

        expired = self._database.transact(expire)
        removed, failure = self._purge(limit)
        return Swept(expired, removed, missing, unknown, failure)

    def erase_student(self, student_id: int, actor: str = SYSTEM) -> int:
        """Remove every crop of whoever was taken for this student, by machine or staff; returns how many there were.

        When this returns, they are gone from the store too. Repeat it where it raises.
        """
        subject = f"student:{student_id}"
        count = self._database.transact(
            lambda session: _erase(session, of_student(student_id), actor, subject)
        )
        self.purge()
        return count

    def erase_guest(self, name: str, actor: str = SYSTEM) -> int:
        """`erase_student` for a guest, before the name is forgotten; see `exhibits.of_guest`."""
        count = self._database.transact(
            lambda session: _erase(session, of_guest(session, name), actor, "guest")
        )
        self.purge()
        return count

    def purge(self) -> int:
        """Delete the blobs that are condemned; returns how many. Raises EvidenceError at the end for those that stayed."""
        removed, failure = self._purge(None)
        if failure is not None:
            raise failure
        return removed

    def _purge(self, limit: int | None) -> tuple[int, EvidenceError | None]:
        with self._database.reading() as session:
            names = condemned(session)
        # In no order: what can never be deleted must not keep a limited purge from the others for ever.
        names = random.sample(names, len(names) if limit is None else min(limit, len(names)))
        removed, done, failures, away = 0, 0, list[EvidenceError](), 0
        for name in names:
            try:
                removed += self._delete(name)
            except EvidenceError as error:
                failures.append(error)
                away = away + 1 if error.transient else 0
                if away == AWAY:
                    break
            else:
                done, away = done + 1, 0
        if not failures:
            return removed, None
        failure = EvidenceError(
            f"{len(names) - done} crops that are to go are still in the store; run 'gridroll evidence sweep' "
            f"when this is mended: {failures[-1]}",
            failures[-1].transient,
        )
        failure.__cause__ = failures[-1]
        return removed, failure

    def _delete(self, name: str) -> bool:
        """Delete a blob, unless somebody claimed it meanwhile: whoever does so now writes it afterwards."""

        def delete(session: Session) -> bool:
            if not is_condemned(session, name):
                return False
            self._blobs.delete(name)
            drop(session, name)
            return True

        if self.turns.by_row:
            return self._database.transact(delete)
        with self.turns.deleting():
            with self._database.reading() as session:
                if not is_condemned(session, name):
                    return False
            self._blobs.delete(name)
            self._database.transact(partial(drop, name=name))
            return True

    def close(self) -> None:
        self._blobs.close()

    def _compare(self, before: datetime, adopting: bool) -> tuple[int, int]:
        """How many blobs the store lacks, and how many only the store knows; `adopting` makes those known instead."""
        strangers = 0
        self._blobs.tidy(before)
        with self._database.reading() as session:
            lacking = set(
                session.scalars(select(BlobRow.digest).where(BlobRow.claimed_at < before, needed()))
            )
        for some in batches(self._blobs.blobs()):
            lacking.difference_update(one.name for one in some)
            old = [one for one in some if one.stored_at < before]
            with self._database.reading() as session:
                known = set(
                    session.scalars(
                        select(BlobRow.digest).where(BlobRow.digest.in_([one.name for one in old]))
                    )
                )
            unknown = [one for one in old if one.name not in known]
            if adopting and unknown:
                self._database.transact(partial(adopt, blobs=unknown))
            else:
                strangers += len(unknown)
        return len(lacking), strangers


def open_archive(settings: Settings, database: Database) -> Archive:
    """The archive of the settings; nothing is made or connected yet. Raises ConfigError."""
    return Archive(
        database,
        open_blobs(settings),
        lambda: load_keys(settings),
        timedelta(days=settings.evidence_days),
    )


def _erase(session: Session, which: ColumnElement[bool] | None, actor: str, subject: str) -> int:
    if which is None:
        return 0
    digests = remove_rows(session, which)
    if digests:
        note(session, actor, "evidence.erased", subject, {"crops": len(digests)}, {"crops": 0})
    condemn(session, digests)
    return len(digests)
