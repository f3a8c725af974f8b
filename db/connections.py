"""How a database is connected to: the driver, its timeouts, and what each new connection is told first."""

import logging
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from db.errors import ConfigError, DatabaseError
from db.journal import write_ahead

__all__ = ["address", "make_engine", "sqlite_path"]

BUSY_TIMEOUT_MS = 5000
LOCK_WAIT_S = 10
LONGEST_LIST = 1 << 24
"""Bytes of a list made of rows. Servers cut longer ones, some of them from 1024."""

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 60
"""A server that hangs is given up after this long: an agent that waited for ever would look no more."""

# After these words the server breaks the connection: it goes down, killed the connection, or was sent too much.
HANGING_UP = {(code,) for code in (1053, 1077, 1079, 1152, 1153, 1158, 1159, 1160, 1161, 1927, 3169, 4031)}

# A value that does not fit is refused, whatever the server's default: without these, it is cut.
SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


def address(url: str) -> URL:
    """The parsed address. Raises ConfigError, which does not repeat it: it may hold a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError(
            "database_url is no address; write e.g. mysql+pymysql://user@host/gridroll"
        ) from error
    # One dialect for both servers: tables say `mysql_engine`, which the other one would not read.
    return parsed.set(drivername="mysql+pymysql") if parsed.drivername == "mariadb+pymysql" else parsed


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite address; None for other databases. Raises ConfigError."""
    parsed = address(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError("database_url names no file; write sqlite:////folder/gridroll.sqlite")
    return Path(parsed.database)


def make_engine(url: str, *, migrating: bool = False) -> Engine:
    """A pool of connections. Raises ConfigError for an address that cannot be used; nothing is connected yet.

    `migrating`: for changes of the schema. Tables are then rebuilt, which foreign keys would get in the way of on SQLite,
    and a server may take as long as it needs.
    """
    try:
        parsed = address(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
            event.listen(engine, "connect", _configure_sqlite)
            if migrating:
                event.listen(engine, "connect", _leave_foreign_keys)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        # Of each connection that a killed server leaves behind it would write a stack trace into the terminal of whoever
        # watches a class; that the server is away is said by the statement that failed.
        logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
        # READ COMMITTED: under REPEATABLE READ a page that polls would see old rows for ever.
        engine = create_engine(
            parsed,
            pool_pre_ping=True,
            pool_recycle=1800,
            isolation_level="READ COMMITTED",
            connect_args=_mysql_arguments(parsed, migrating),
        )
        _watch(engine)
        return engine
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise ConfigError(
            f"database_url cannot be used: {error}; write sqlite:/// or mysql+pymysql://"
        ) from error


def _mysql_arguments(url: URL, migrating: bool) -> dict[str, Any]:
    for key in ("ssl_ca", "ssl_capath", "ssl_cert", "ssl_key"):
        named = url.query.get(key)
        if isinstance(named, str) and not Path(named).exists():
            raise ConfigError(f"{key} {named!r} in database_url is not there; correct the path")
    timeouts: dict[str, int | None] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": ANSWER_TIMEOUT_S,
        "write_timeout": ANSWER_TIMEOUT_S,
    }
    chosen = {key: value for key, value in timeouts.items() if key not in url.query}
    if migrating:
        chosen |= {"read_timeout": None, "write_timeout": None}
    # Imported here: whoever has a SQLite file needs no driver.
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions

    return chosen | {
        # By itself the driver reads moments by a regular expression, which takes twenty times as long.
        "conv": {**conversions, FIELD_TYPE.DATETIME: datetime.fromisoformat},
        "charset": "utf8mb4",
        "sql_mode": SQL_MODE,
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_S}, foreign_key_checks = 1, unique_checks = 1, "
        f"group_concat_max_len = {LONGEST_LIST}",
    }


def _watch(engine: Engine) -> None:
    """Know connections that the server broke, and tell those that a too large request broke from the others."""
    largest = 0

    @event.listens_for(engine, "connect")
    def ask(connection: Any, record: Any) -> None:
        nonlocal largest
        del record
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@max_allowed_packet")
            largest = cursor.fetchone()[0]

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        size = len(context.statement or "") + _size(context.parameters)
        if context.is_disconnect and largest and size > largest:
            raise DatabaseError(
                f"{engine.url.host} takes no request this large ({size} bytes); raise its max_allowed_packet, nothing was "
                "changed"
            ) from context.original_exception
        if context.original_exception.args[:1] in HANGING_UP:
            # Else the rollback that follows would fail as well, and that would be all that is told.
            context.is_disconnect = True


def _size(parameters: Any) -> int:
    if isinstance(parameters, Mapping):
        return sum(len(value) for value in parameters.values() if isinstance(value, str | bytes))
    if isinstance(parameters, tuple | list):
        return sum(len(value) if isinstance(value, str | bytes) else _size(value) for value in parameters)
    return 0


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


def _leave_foreign_keys(connection: sqlite3.Connection, record: Any) -> None:
    del record
    connection.execute("PRAGMA foreign_keys = OFF")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: upgrading a read lock later can fail where waiting would not help.
    immediate = connection.get_execution_options().get("gridroll_immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
