"""Changing the schema, so that a change cut short, by a kill or a power failure, goes on where it stopped.

SQLite undoes a migration as a whole. MySQL and MariaDB commit each statement that changes the schema, so there the
statements done are counted, see `db.progress`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from db.connections import make_engine
from db.errors import DatabaseError
from db.failures import BusyError
from db.progress import Progress
from db.schema_version import SCRIPTS, found_version, known_versions

__all__ = ["migrate"]

LOCK_WAIT_S = 60


def migrate(url: str, shown_url: str, to: str) -> None:
    """Change the schema of the database to a version, `head` or `base`; see `Database.migrate`."""
    engine = make_engine(url, migrating=True)
    try:
        with engine.connect() as connection:
            _migrate(connection.execution_options(gridroll_immediate=True), shown_url, to)
    finally:
        engine.dispose()


def _migrate(connection: Connection, shown_url: str, to: str) -> None:
    with _alone(connection, shown_url):
        found, known = found_version(connection), known_versions()
        if found is not None and found not in known:
            raise DatabaseError(
                f"{shown_url} has schema version {found}, which is newer than this program; upgrade Gridroll"
            )
        places = {None: -1, "base": -1, "head": len(known) - 1} | {name: at for at, name in enumerate(known)}
        up = places[to] >= places[found]
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        change = command.upgrade if up else command.downgrade
        if connection.dialect.name == "sqlite":
            change(config, to)
            _check_foreign_keys(connection, shown_url)
            return
        with Progress(connection, shown_url, up=up) as progress:
            config.attributes["stepped"] = progress.stepped
            change(config, to)


@contextmanager
def _alone(connection: Connection, shown_url: str) -> Iterator[None]:
    """One transaction, in which no other program migrates. What a killed one still has running is waited for."""
    if connection.dialect.name == "sqlite":
        with connection.begin():
            yield
        return
    with connection.begin():
        name = f"gridroll-{hashlib.sha256(str(connection.engine.url.database).encode()).hexdigest()[:32]}"
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {LOCK_WAIT_S}")
        if connection.exec_driver_sql("SELECT GET_LOCK(%s, %s)", (name, LOCK_WAIT_S)).scalar() != 1:
            raise BusyError(f"{shown_url} is being upgraded by another program; try again when it is done")
        yield  # the lock goes with the connection, which is used for nothing else


def _check_foreign_keys(connection: Connection, shown_url: str) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise DatabaseError(
            f"{shown_url} holds {len(broken)} rows that refer to none, in {broken[0][0]} for one; restore it from a backup, "
            "nothing was changed"
        )
