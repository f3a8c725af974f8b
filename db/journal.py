"""SQLite's write-ahead log, where more than one program may open the file."""

import sqlite3
import time

__all__ = ["write_ahead"]

PAUSE_S = 0.02


def write_ahead(connection: sqlite3.Connection, patience_s: float) -> None:
    """Keep the database's journal as a write-ahead log.

    Where another connection writes, SQLite refuses the change at once, whatever its busy timeout; so the waiting is
    done here. Raises sqlite3.OperationalError, busy, after `patience_s` seconds, or once the connection's own timeout has passed after that.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(PAUSE_S)
