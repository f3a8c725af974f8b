"""The connection to the ledger's database: SQLite, MySQL or MariaDB behind one object."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from db.audit import seal
from db.connections import make_engine, sqlite_path
from db.errors import DatabaseError
from db.failures import BusyError, TransientDatabaseError, explain
from db.proof.stored import begin_chain
from db.schema_version import found_version, newest
from db.sqlite_file import check_file, make_file

__all__ = ["Database", "make_database", "open_database"]

T = TypeVar("T")

PATIENCE_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0


class Database:
    """The ledger's database. Safe to share between threads; `close()` gives its connections back."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        # Without the parameters after the question mark: they can hold a password too.
        self.shown_url = self.engine.url.set(query={}).render_as_string(hide_password=True)
        self._url = url
        self._writer = self.engine.execution_options(gridroll_immediate=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session on one consistent snapshot, rolled back at the end."""
        with self._explained(), _session(self.engine) as session:
            if self.engine.dialect.name != "sqlite":
                # Else each statement would see what others committed since the one before it.
                session.connection().exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end, or rolled back as a whole when anything is raised."""
        with self._explained(), _session(self._writer) as session:
            session.connection()  # takes the write lock now, not at the first statement
            yield session
            seal(session)
            session.commit()

    def transact(
        self, work: Callable[[Session], T], *, idempotent: bool = True, patience_s: float = PATIENCE_S
    ) -> T:
        """Do the work in a writing transaction; do it again while the database is busy or away.

        `work` must be idempotent: where the connection breaks during COMMIT nobody knows whether the transaction was
        committed, and the work is done again. With `idempotent` False only what has certainly been undone is done again
        (deadlocks, lock waits). What `work` returns should hold no rows of an attempt before.

        Raises the last attempt's DatabaseError once `patience_s` seconds have passed, and any other error at once.
        """
        deadline, pause_s = time.monotonic() + patience_s, FIRST_PAUSE_S
        while True:
            try:
                with self.writing() as session:
                    return work(session)
            except TransientDatabaseError as error:
                # A random share, so that two programs that got into each other's way do not do so again.
                wait_s = random.uniform(0.5, 1) * pause_s
                hopeless = not idempotent and not isinstance(error, BusyError)
                if hopeless or time.monotonic() + wait_s > deadline:
                    raise
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def revision(self) -> str | None:
        """The schema's version as found; None in an empty database."""
        with self._explained(), self.engine.connect() as connection:
            return found_version(connection)

    def migrate(self, to: str = "head") -> None:
        """Bring the schema to the version of this program, or to another one, down as well as up.

        Safe to repeat, also after it was killed half-way. Raises DatabaseError for a schema from the future.
        """
        # Imported here: only who changes a schema waits for Alembic.
        from db.migrating import migrate

        with self._explained():
            migrate(self._url, self.shown_url, to)

    def examine(self) -> None:
        """Read all of a SQLite file and look for damage and for rows that refer to none. Raises DatabaseError."""
        if self.engine.dialect.name != "sqlite":
            return
        with self._explained(), self.engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if found == "ok" and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                found = "rows refer to others that are not there"
        if found != "ok":
            raise DatabaseError(
                f"{self.shown_url} is damaged ({' '.join(str(found).split())}); restore it from a backup"
            )

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise explain(error, self.shown_url) from error
        except StatementError as error:  # a value that no column takes, refused before it was sent
            raise DatabaseError(f"cannot be stored: {error.orig}") from error
        except PoolTimeoutError as error:
            raise BusyError(
                f"{self.shown_url} is busy (all of this program's connections are in use); try again"
            ) from error


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    session = Session(engine, expire_on_commit=False)
    try:
        yield session
    except BaseException:
        # What went wrong first is what is told. A connection that cannot even be rolled back is gone, its transaction too.
        try:
            session.close()
        except SQLAlchemyError:
            session.invalidate()
        raise
    session.close()


def make_database(url: str) -> Database:
    """Connect and bring the schema up to date, making a SQLite file (mode 0600) where there is none."""
    path = sqlite_path(url)
    if path is not None:
        try:
            if not path.exists():
                make_file(path)
        except OSError as error:
            raise DatabaseError(
                f"cannot make {path}: {error.strerror}; choose another GRIDROLL_HOME"
            ) from error
        check_file(path)
    database = Database(url)
    try:
        database.migrate()
        with database.writing() as session:
            begin_chain(session)
    except BaseException:
        database.close()
        raise
    return database


def open_database(url: str) -> Database:
    """Connect to a database made before.

    Raises DatabaseError where there is none, where it cannot be read or is not whole, or where its schema is of another
    version.
    """
    path = sqlite_path(url)
    if path is not None:
        try:
            there = path.exists()
        except OSError as error:
            raise DatabaseError(f"cannot read {path}: {error.strerror}; check the permissions") from error
        if not there:
            raise DatabaseError(f"there is no database at {path}; run 'gridroll init' first")
        check_file(path)
    database = Database(url)
    try:
        found, wanted = database.revision(), newest()
        if found != wanted:
            raise DatabaseError(
                f"{database.shown_url} has schema version {found or 'none'}, this program needs {wanted}; "
                "run 'gridroll init' to upgrade it, or upgrade Gridroll if the database is newer"
            )
    except BaseException:
        database.close()
        raise
    return database
