"""What a database's error means: one line for whoever reads it, and whether the same call may succeed later."""

import re
import sqlite3
from dataclasses import dataclass

from pymysql import MySQLError
from sqlalchemy.exc import DBAPIError

from db.errors import DatabaseError

__all__ = ["BusyError", "LostError", "TransientDatabaseError", "explain"]


class TransientDatabaseError(DatabaseError):
    """The database is busy or away; the same call may succeed later."""

    transient = True


class BusyError(TransientDatabaseError):
    """Another writer is in the way. The transaction has certainly been undone."""


class LostError(TransientDatabaseError):
    """The connection broke. Whether the transaction was committed nobody knows."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """`text`: with `{url}` for the database and `{said}` for its own words."""

    kind: type[DatabaseError]
    text: str


_LOCKED = _Meaning(BusyError, "{url} is locked by another program; close it there, then try again")
_DAMAGED = _Meaning(
    DatabaseError,
    "{url} is damaged or no SQLite database ({said}); restore it from a backup, or move the file away and run "
    "'gridroll init'",
)
_FORBIDDEN = _Meaning(DatabaseError, "{url} cannot be written ({said}); check the folder's permissions")
_FULL = _Meaning(DatabaseError, "no space left for {url}; free some, nothing was changed")
_FAILING = _Meaning(
    DatabaseError,
    "{url} cannot be read or written ({said}); see whether the disk is full or failing, nothing was changed",
)

_SQLITE = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _FAILING,
}

_BUSY = _Meaning(BusyError, "{url} is busy ({said}); try again")
_AWAY = _Meaning(LostError, "{url} cannot be reached ({said}); check that the server runs")
_CROWDED = _Meaning(
    BusyError, "{url} takes no more connections ({said}); raise max_connections or run fewer programs"
)
_REFUSED = _Meaning(
    DatabaseError, "{url} does not let this user in ({said}); correct user and password in database_url"
)
_RIGHTS = _Meaning(
    DatabaseError, "{url}: this user lacks a right ({said}); see GRANT in the operator's guide"
)
_UNKNOWN = _Meaning(DatabaseError, "{url} does not exist ({said}); make it with CREATE DATABASE")
_READ_ONLY = _Meaning(
    DatabaseError, "{url} is read-only at the moment ({said}); nothing was changed, try again when it is not"
)
_SERVER_FULL = _Meaning(DatabaseError, "no space left at {url} ({said}); free some, nothing was changed")
_TOO_LARGE = _Meaning(
    DatabaseError, "{url} takes no request this large ({said}); raise the server's max_allowed_packet"
)
_UNTRUSTED = _Meaning(
    DatabaseError, "{url} cannot be trusted ({said}); correct ssl_ca in database_url, or the certificate"
)

_MYSQL = {
    **dict.fromkeys((1205, 1213), _BUSY),
    # 2xxx are the client's: not reached, gone, broken off; the others the server's: going down, killed, timed out.
    **dict.fromkeys((2002, 2003, 2006, 2013, 2014, 2045, 2055), _AWAY),
    **dict.fromkeys((1053, 1077, 1079, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 3169, 4031), _AWAY),
    **dict.fromkeys((1040, 1203, 1226), _CROWDED),
    **dict.fromkeys((1045, 1698, 1820, 1862, 3118, 4151), _REFUSED),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), _RIGHTS),
    1049: _UNKNOWN,
    **dict.fromkeys((1290, 1792, 1836), _READ_ONLY),
    **dict.fromkeys((3, 1021, 1026, 1114), _SERVER_FULL),
    **dict.fromkeys((1153, 1301), _TOO_LARGE),
    2026: _UNTRUSTED,
}


def explain(error: DBAPIError, shown_url: str) -> DatabaseError:
    """The error as Gridroll's own, a single line. `shown_url`: the database's address without its password."""
    original = error.orig
    said = re.sub(r"\s+", " ", str(original))
    meaning: _Meaning | None = None
    if isinstance(original, sqlite3.Error):
        meaning = _SQLITE.get(getattr(original, "sqlite_errorcode", 0) & 0xFF)
    elif isinstance(original, MySQLError) and original.args:
        said = re.sub(r"\s+", " ", str(original.args[-1]))
        meaning = _MYSQL.get(original.args[0])
        if "No space left" in said or "errno: 28" in said or "Errcode: 28" in said:
            meaning = _SERVER_FULL
        elif "CERTIFICATE" in said or "SSL: " in said:
            meaning = _UNTRUSTED
    if meaning is None and error.connection_invalidated:
        meaning = _AWAY
    if meaning is None:
        return DatabaseError(f"{shown_url} refused: {said}")
    return meaning.kind(meaning.text.format(url=shown_url, said=said))
