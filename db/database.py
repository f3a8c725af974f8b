"""The connection to the ledger's database: SQLite, MySQL or MariaDB behind one object."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pymysql import MySQLError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.orm import Session

from db.errors import ConfigError, DatabaseError
from db.journal import write_ahead

__all__ = ["Database", "make_database", "open_database"]

BUSY_TIMEOUT_MS = 5000
MIGRATIONS = Path(__file__).parent / "migrations"


class TransientDatabaseError(DatabaseError):
    """The database is busy or away; the same call may succeed later."""

    transient = True


class Database:
    """The ledger's database. Safe to share between threads; `close()` gives its connections back."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.shown_url = self.engine.url.render_as_string(hide_password=True)
        self._writer = self.engine.execution_options(gridroll_immediate=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on one consistent snapshot, rolled back at the end."""
        with self._explained(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end, or rolled back as a whole when anything is raised."""
        with self._explained(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            session.connection()  # takes the write lock now, not at the first statement
            yield session

    def revision(self) -> str | None:
        """The schema's version as found; None in an empty database."""
        with self._explained(), self.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def migrate(self) -> None:
        """Bring the schema to the version of this program. Safe to repeat; refuses a schema from the future."""
        found, scripts = self.revision(), ScriptDirectory(str(MIGRATIONS))
        if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
            raise DatabaseError(
                f"{self.shown_url} has schema version {found}, which is newer than this program; upgrade Gridroll"
            )
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._explained(), self._writer.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error) from error
        except StatementError as error:  # a value that no column takes, refused before it was sent
            raise DatabaseError(f"cannot be stored: {error.orig}") from error

    def _explain(self, error: DBAPIError) -> DatabaseError:
        original = error.orig
        text = re.sub(r"\s+", " ", str(original))
        if isinstance(original, sqlite3.Error):
            if "locked" in text:
                return TransientDatabaseError(
                    f"{self.shown_url} is locked by another program; close it there, then try again"
                )
            if "not a database" in text or "malformed" in text or "disk image" in text:
                return DatabaseError(
                    f"{self.shown_url} is damaged or no SQLite database ({text}); restore it from a backup, "
                    "or move the file away and run 'gridroll init'"
                )
            if "readonly" in text or "unable to open" in text:
                return DatabaseError(
                    f"{self.shown_url} cannot be written ({text}); check the folder's permissions"
                )
            if "full" in text:
                return DatabaseError(f"no space left for {self.shown_url}; free some, nothing was changed")
        if isinstance(original, MySQLError) and original.args[:1] in {(1205,), (1213,)}:
            return TransientDatabaseError(f"{self.shown_url} is busy ({text}); try again")
        if error.connection_invalidated or "Can't connect" in text or "Lost connection" in text:
            return TransientDatabaseError(
                f"{self.shown_url} cannot be reached ({text}); check that the server runs"
            )
        return DatabaseError(f"{self.shown_url} refused: {text}")


def make_database(url: str) -> Database:
    """Connect and bring the schema up to date, making a SQLite file (mode 0600) where there is none."""
    path = _sqlite_path(url)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
        except OSError as error:
            raise DatabaseError(
                f"cannot make {path}: {error.strerror}; choose another GRIDROLL_HOME"
            ) from error
    database = Database(url)
    database.migrate()
    return database


def open_database(url: str) -> Database:
    """Connect to a database made before.

    Raises DatabaseError where there is none, where it cannot be read, or where its schema is of another version.
    """
    path = _sqlite_path(url)
    if path is not None and not path.exists():
        raise DatabaseError(f"there is no database at {path}; run 'gridroll init' first")
    database = Database(url)
    found, wanted = database.revision(), ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if found != wanted:
        raise DatabaseError(
            f"{database.shown_url} has schema version {found or 'none'}, this program needs {wanted}; "
            "run 'gridroll init' to upgrade it, or upgrade Gridroll if the database is newer"
        )
    return database


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "database_url is no address; write e.g. mysql+pymysql://user@host/gridroll"
        ) from error
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        return Path(parsed.database)
    return None


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        # READ COMMITTED: under REPEATABLE READ a page that polls would see old rows for ever.
        return create_engine(parsed, pool_pre_ping=True, isolation_level="READ COMMITTED", pool_recycle=1800)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise ConfigError(
            f"database_url cannot be used: {error}; write sqlite:/// or mysql+pymysql://"
        ) from error


def _configure_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    del record
    # Transactions are begun by hand below: the driver's own begin comes too late for a consistent read.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    write_ahead(connection, BUSY_TIMEOUT_MS / 1000)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock later can fail where waiting would not help.
    immediate = connection.get_execution_options().get("gridroll_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
