"""Making an archive while others write."""

from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from db.backup.crops import dump_crops
from db.backup.documents import dump_documents
from db.backup.manifest import ArchiveError, Manifest
from db.backup.snapshot import snapshot_of
from db.backup.tables import dump_tables
from db.backup.writer import ArchiveWriter, new_archive
from db.database import open_database
from db.errors import StoreError
from db.evidence.blobs import open_blobs
from db.evidence.keys import key_file
from db.face_cache import open_cache
from db.settings import Settings
from recognizer.backup.faces import dump_faces

__all__ = ["EVIDENCE_KEYS", "KEYS", "PORTAL_KEY", "make_backup"]

KEYS = "keys/"
PORTAL_KEY, EVIDENCE_KEYS = "portal.key", "evidence.keys"


def make_backup(settings: Settings, path: Path, *, force: bool, include_keys: bool) -> Manifest:
    """Write an archive of all stores, whole or not at all. Raises ArchiveError and the stores' own errors.

    The database is of one moment. Faces and crops are read after it: what was removed meanwhile is not brought back.
    """
    with (
        closing(open_database(settings.resolved_database_url)) as database,
        new_archive(path, force=force) as archive,
        snapshot_of(database) as snapshot,
    ):
        made_at = datetime.now(UTC).replace(microsecond=0)
        notes = []
        dump_tables(snapshot.connection, archive)
        dump_faces(settings.home / "faces" / "local", archive)
        if settings.engine != "local":
            notes.append("faces that a provider keeps are not in it")
        with closing(open_blobs(settings)) as blobs:
            if lacking := dump_crops(snapshot.connection, blobs, archive):
                notes.append(f"{lacking} crops are not in {blobs.where}, so not in it either")
        if away := _dump_cache(settings, archive):
            notes.append(f"the cache is not in it and will be filled again from the database: {away}")
        if include_keys:
            _dump_keys(settings, archive)
        manifest = Manifest(
            made_at=made_at,
            gridroll=_version(),
            engine=snapshot.engine,
            revision=database.revision() or "",
            audit_seq=snapshot.audit_seq,
            audit_hash=snapshot.audit_hash,
            notes=tuple(notes),
            members=tuple(archive.members),
        )
        archive.finish(manifest)
        return manifest


def _dump_cache(settings: Settings, archive: ArchiveWriter) -> str | None:
    """Why the cache is not in the archive; None: it is. It is no more than a copy, so its absence stops no backup."""
    before = archive.here()
    try:
        with closing(open_cache(settings.cache_url, settings.home / "cache")) as cache:
            cache.ping()
            dump_documents(cache.url, archive)
    except StoreError as error:
        archive.back_to(before)
        return str(error)
    return None


def _dump_keys(settings: Settings, archive: ArchiveWriter) -> None:
    paths = {PORTAL_KEY: settings.home / PORTAL_KEY}
    if not settings.evidence_keys.get_secret_value().strip():  # else a file that is there is not in use
        paths[EVIDENCE_KEYS] = key_file(settings)
    for name, path in paths.items():
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ArchiveError(f"cannot read {path}: {error.strerror}; nothing was written") from error
        with archive.member(f"{KEYS}{name}") as member:
            member.write(content)
            member.count += 1


def _version() -> str:
    try:
        return version("gridroll")
    except PackageNotFoundError:
        return "unknown"
