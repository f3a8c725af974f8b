"""Puts one SQLite file in another's place, so that nobody goes on writing to the old one unnoticed."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from db.errors import StoreError

__all__ = ["exchanging", "settle_file"]

PATIENCE_S = 5.0


@contextmanager
def exchanging(new: Path, place: Path) -> Iterator[Callable[[], None]]:
    """Keep everybody out of the file at `place`; what is yielded puts `new` there, durably, and erases the old content.

    Both are in the same folder, and `new` is closed. A file at `place` that is damaged is replaced all the same.
    Raises StoreError, transient, while another program has it open.
    """
    old = _alone(place) if place.exists() else None

    def exchange() -> None:
        if old is None:
            for suffix in ("-wal", "-shm", "-journal"):  # left by whoever was killed, or wrote a damaged file
                place.with_name(place.name + suffix).unlink(missing_ok=True)
        new.replace(place)
        _sync(place.parent)
        if old is not None:
            _erase(old)

    try:
        yield exchange
    finally:
        if old is not None:
            old.close()


def settle_file(path: Path) -> None:
    """Make a SQLite file that nobody uses one file, without a log beside it, and durable."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    _sync(path)
    _sync(path.parent)


def _alone(path: Path) -> sqlite3.Connection | None:
    """A connection that holds the file for itself, its log emptied and gone; None for a file that is damaged."""
    connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        # Fails while another connection is open, idle ones too: each holds a part of the log's index.
        mode = connection.execute("PRAGMA journal_mode = OFF").fetchone()[0]
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise _busy(path) from error
        raise StoreError(f"cannot use {path}: {error}; check its owner, its rights and the disk") from error
    except sqlite3.DatabaseError:
        connection.close()
        return None
    if mode != "off":
        connection.close()
        raise _busy(path)
    return connection


def _busy(path: Path) -> StoreError:
    busy = StoreError(
        f"{path} is in use by another program; stop 'gridroll watch' and 'serve', then try again"
    )
    busy.transient = True
    return busy


def _erase(old: sqlite3.Connection) -> None:
    """Overwrite what the file held that has no name any more; whoever still waits for it finds no table to write to."""
    with suppress(sqlite3.Error):
        names = [row[0] for row in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            if not name.startswith("sqlite_"):
                old.execute(f'DROP TABLE "{name}"')
        old.execute("COMMIT")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
