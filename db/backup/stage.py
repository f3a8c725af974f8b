"""A database made ready from an archive, to be put in place of what is there in one step."""

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, Connection, inspect, make_url

from db.backup.archive import Archive, open_archive
from db.backup.crops import known_crops, take_over_crops
from db.backup.exchange import exchanging, settle_file
from db.backup.manifest import ArchiveError, Manifest
from db.backup.snapshot import snapshot_of
from db.backup.tables import dump_tables, load_tables, own_tables
from db.backup.writer import new_archive
from db.database import Database, make_database
from db.errors import DatabaseError
from db.schema_version import VERSION, known_versions

__all__ = ["check_revision", "database_file", "holds_rows", "staged_database"]

UNTOUCHED = {VERSION, "audit", "audit_head"}
"""Tables in which there may be rows before anybody used the database."""

LOCK_WAIT_S = 30
PATIENCE_S = 5.0
"""For connections of programs that have just ended."""


def check_revision(manifest: Manifest, path: Path) -> None:
    """Raises ArchiveError for an archive whose schema this program does not know."""
    if manifest.revision not in known_versions():
        raise ArchiveError(
            f"{path} holds schema version {manifest.revision[:40]!r}, which is newer than this program; upgrade Gridroll"
        )


def holds_rows(url: str) -> bool:
    """Whether anything is in a database; a SQLite file that cannot be read counts as something, an empty one as nothing.

    Raises DatabaseError where a server cannot be reached.
    """
    file = database_file(url)
    if file is not None and not file.exists():
        return False
    try:
        with closing(Database(url)) as database, database.reading() as session:
            connection = session.connection()
            # A file is replaced whole; on a server, other programs' tables stay as they are.
            tables = own_tables(connection) if file is None else set(inspect(connection).get_table_names())
            quote = connection.dialect.identifier_preparer.quote
            return any(
                connection.exec_driver_sql(f"SELECT 1 FROM {quote(name)} LIMIT 1").first()
                for name in tables - UNTOUCHED
            )
    except DatabaseError as error:
        if file is None or error.transient:
            raise
        return True


@contextmanager
def staged_database(archive: Archive, url: str, *, replace: bool) -> Iterator[Callable[[], None]]:
    """Load the database of an archive; what is yielded puts it at `url`, in one step that is durable.

    Until then nobody sees any of it, and without it all of it is undone. An older schema is brought up to date.
    Raises ArchiveError, or DatabaseError where the database is in use or cannot be written.
    """
    file = database_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _built(archive, file, _claimed(file)) as draft, exchanging(draft, file) as exchange:
            yield exchange
        return
    with closing(make_database(url)) as database:
        if archive.manifest.revision == database.revision():
            with _loaded(archive, database, replace=replace) as commit:
                yield commit
            return
        # A server undoes no change of its schema, so the rows are brought up to date in a file first.
        with TemporaryDirectory(prefix="gridroll-") as folder:
            draft = Path(folder) / "modern.tar"
            with _built(archive, Path(folder) / "old.sqlite") as old:
                _dump(old, archive.manifest, draft)
            with open_archive(draft) as modern, _loaded(modern, database, replace=replace) as commit:
                yield commit


def database_file(url: str) -> Path | None:
    """The file of a SQLite address; None for a server."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _claimed(file: Path) -> list[str]:
    """The crops that the database to be replaced has claimed; those of one that cannot be read stay nobody's."""
    if not file.exists():
        return []
    try:
        with closing(Database(_address(file))) as database, database.reading() as session:
            return known_crops(session.connection())
    except DatabaseError as error:
        if error.transient:
            raise
        return []


@contextmanager
def _built(archive: Archive, place: Path, crops: Collection[str] = ()) -> Iterator[Path]:
    """A SQLite file beside `place`, with all rows, of this program's schema; removed at the end if it is still there.

    `crops`: what it takes over from the one before it.
    """
    draft = place.with_name(f"{place.name}.part")
    _remove(draft)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(Database(_address(draft))) as database:
            database.migrate(archive.manifest.revision)
            with database.writing() as session:
                connection = session.connection()
                load_tables(connection, archive, set(inspect(connection).get_table_names()) - {VERSION})
            database.migrate()
            with database.writing() as session:
                take_over_crops(session, crops)
        settle_file(draft)
        yield draft
    finally:
        _remove(draft)


@contextmanager
def _loaded(archive: Archive, database: Database, *, replace: bool) -> Iterator[Callable[[], None]]:
    """All rows in a transaction of a server's that nobody else can write beside."""
    with database.reading() as session:
        connection = session.connection()
        _refuse_others(connection, database.shown_url)
        tables = own_tables(connection)
        # Closed at the end rather than given back: that undoes what was not committed, and the locks.
        connection.detach()
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")
        connection.exec_driver_sql("SET SESSION autocommit = 0")
        connection.exec_driver_sql("LOCK TABLES " + ", ".join(f"`{name}` WRITE" for name in sorted(tables)))
        for name in tables - UNTOUCHED:
            if not replace and connection.exec_driver_sql(f"SELECT 1 FROM `{name}` LIMIT 1").first():
                raise ArchiveError(
                    f"{database.shown_url} is in use already; add --replace to give up what it holds"
                )
        crops = known_crops(connection)
        load_tables(connection, archive, tables)
        take_over_crops(session, crops)
        yield session.commit


def _refuse_others(connection: Connection, shown_url: str) -> None:
    """Raises ArchiveError, transient, while other programs are connected: they would go on with what is no more.

    Without the right PROCESS a server shows those of the same user only.
    """
    own, name = connection.exec_driver_sql("SELECT CONNECTION_ID(), DATABASE()").one()
    deadline = time.monotonic() + PATIENCE_S
    # Of each: its number, user, host and database.
    while others := [
        one for one in connection.exec_driver_sql("SHOW PROCESSLIST") if one[3] == name and one[0] != own
    ]:
        if time.monotonic() > deadline:
            busy = ArchiveError(
                f"{len(others)} other connections use {shown_url}; stop 'gridroll watch' and 'serve' on every machine and "
                "whatever else is connected, then try again"
            )
            busy.transient = True
            raise busy
        time.sleep(0.1)


def _dump(file: Path, manifest: Manifest, path: Path) -> None:
    with (
        closing(Database(_address(file))) as database,
        snapshot_of(database) as snapshot,
        new_archive(path, force=False) as writer,
    ):
        dump_tables(snapshot.connection, writer)
        writer.finish(
            Manifest(
                made_at=manifest.made_at,
                gridroll=manifest.gridroll,
                engine=snapshot.engine,
                revision=database.revision() or "",
                audit_seq=snapshot.audit_seq,
                audit_hash=snapshot.audit_hash,
                notes=(),
                members=tuple(writer.members),
            )
        )


def _address(file: Path) -> str:
    return URL.create("sqlite", database=str(file)).render_as_string()


def _remove(file: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + suffix).unlink()
