"""Putting what an archive holds in place of what is there."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.backup.archive import Archive, open_archive
from db.backup.crops import restore_crops
from db.backup.documents import holds_documents, restore_documents
from db.backup.manifest import ArchiveError, Manifest
from db.backup.stage import check_revision, holds_rows, staged_database
from db.database import open_database
from db.evidence.blobs import open_blobs
from db.evidence.keys import key_file
from db.face_cache import open_cache
from db.files import write_whole
from db.restore_mark import read_mark, remove_mark, set_mark
from db.schema import AuditRow
from db.settings import Settings
from recognizer.backup.faces import holds_faces, staged_faces
from recognizer.backup.making import EVIDENCE_KEYS, KEYS

__all__ = ["restore", "verify"]

LARGEST_KEY = 1 << 20


def verify(path: Path) -> Manifest:
    """Read all of an archive. Raises ArchiveError where it is damaged, or this program could not restore it."""
    with open_archive(path) as archive:
        archive.verify()
        check_revision(archive.manifest, path)
        return archive.manifest


def restore(settings: Settings, path: Path, *, replace: bool, actor: str = SYSTEM) -> Manifest:
    """Restore an archive, wholly checked before anything is changed. `replace`: give up what is there.

    Agents and portals that use the same stores must be stopped, on every machine; what is noticed of them is refused.

    Everything that can fail is done beside what is there; then the home is marked as half restored, the new takes the
    place of the old, and the mark is removed. Killed in between, the same call completes it. Raises ArchiveError and
    the stores' own errors.
    """
    with _alone(settings.home), open_archive(path) as archive:
        archive.verify()
        check_revision(archive.manifest, path)
        mark = read_mark(settings.home)
        replace = replace or (mark is not None and mark[1] == archive.sha256)
        if not replace:
            _refuse_used(settings, halfway=mark is not None)
            _refuse_other_keys(settings, archive)
        _check_space(settings, archive)
        with (
            _ready(settings, archive),
            staged_faces(archive, settings.home / "faces" / "local") as put_faces,
            # The last: others wait for it.
            staged_database(archive, settings.resolved_database_url, replace=replace) as put_database,
        ):
            set_mark(settings.home, path.absolute(), archive.sha256)
            put_database()
            put_faces()
        _finish(settings, archive, actor)
        remove_mark(settings.home)
        return archive.manifest


@contextmanager
def _ready(settings: Settings, archive: Archive) -> Iterator[None]:
    """The servers that the end needs answer; nothing is begun where one does not."""
    with (
        closing(open_cache(settings.cache_url, settings.home / "cache")) as cache,
        closing(open_blobs(settings)) as blobs,
    ):
        cache.ping()
        if archive.manifest.counted("evidence"):
            blobs.check()
        yield


def _finish(settings: Settings, archive: Archive, actor: str) -> None:
    """What may be done again any number of times, after the database and the faces have changed."""
    for name, content in _keys(archive):
        write_whole(_key_path(settings, name), content)
    with closing(open_blobs(settings)) as blobs:
        restore_crops(archive, blobs)
    with closing(open_cache(settings.cache_url, settings.home / "cache")) as cache:
        restore_documents(cache.url, archive)
        cache.prepare()
    _note(settings, archive.manifest, actor)


def _note(settings: Settings, manifest: Manifest, actor: str) -> None:
    """Say in the audit chain, once, where it was cut back to: an anchor of a later row holds no more."""
    told = {"made_at": manifest.made_at, "rows": manifest.audit_seq, "hash": manifest.audit_hash}

    noted = select(AuditRow.seq).where(
        AuditRow.seq > manifest.audit_seq, AuditRow.action == "database.restored"
    )

    def put(session: Session) -> None:
        if session.scalar(noted.limit(1)) is None:
            note(session, actor, "database.restored", "database", None, told)

    with closing(open_database(settings.resolved_database_url)) as database:
        database.transact(put)


def _refuse_used(settings: Settings, *, halfway: bool) -> None:
    if halfway:
        raise ArchiveError(
            f"{settings.home} is half restored from another archive; restore that one, or add --replace"
        )
    if used := _used(settings):
        raise ArchiveError(
            f"{used} of {settings.home} is in use already; choose an empty GRIDROLL_HOME, database, cache and "
            "evidence_url, or add --replace to give up what they hold"
        )


def _used(settings: Settings) -> str | None:
    """The store that holds something; None: none does."""
    if holds_rows(settings.resolved_database_url):
        return "the database"
    if holds_faces(settings.home / "faces" / "local"):
        return "the collection of faces"
    with closing(open_blobs(settings)) as blobs:
        if next(blobs.blobs(), None) is not None:
            return f"the evidence store ({blobs.where})"
    with closing(open_cache(settings.cache_url, settings.home / "cache")) as cache:
        cache.ping()
        return f"the cache ({cache.place})" if holds_documents(cache.url) else None


def _refuse_other_keys(settings: Settings, archive: Archive) -> None:
    for name, content in _keys(archive):
        path = _key_path(settings, name)
        if path.exists() and path.read_bytes() != content:
            raise ArchiveError(
                f"{path} is another key than the archive's; move it away, or add --replace to give it up"
            )


def _check_space(settings: Settings, archive: Archive) -> None:
    """Before anything is written: an archive that unpacks to more than there is room for fills no disk."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    wanted = sum(member.unpacked_bytes for member in archive.manifest.members)
    free = shutil.disk_usage(settings.home).free
    if wanted > free:
        raise ArchiveError(
            f"{archive.path} unpacks to {wanted / 1e6:,.0f} MB, and {settings.home} has {free / 1e6:,.0f} MB left; "
            "free some space, nothing was changed"
        )


def _keys(archive: Archive) -> Iterator[tuple[str, bytes]]:
    for member in archive.manifest.members:
        if member.name.startswith(KEYS):
            with archive.member(member) as stream:
                content = stream.read(LARGEST_KEY)
            yield member.name.removeprefix(KEYS), content


def _key_path(settings: Settings, name: str) -> Path:
    return key_file(settings) if name == EVIDENCE_KEYS else settings.home / name


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One restore at a time."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise ArchiveError(f"{home} is being restored by another program; wait for it") from error
    finally:
        os.close(folder)
