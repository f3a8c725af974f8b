"""The version of the schema: a database's, and the one that this program needs.

Read without Alembic, which changes schemas: importing it would add a tenth or more to the time of a short command.
"""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

__all__ = ["SCRIPTS", "VERSION", "found_version", "known_versions", "newest"]

SCRIPTS = Path(__file__).parent / "migrations"
VERSION = "alembic_version"
"""The table in which a database says which version it has."""


def known_versions() -> list[str]:
    """All that this program knows, the oldest first: the numbers with which the names of its migrations begin."""
    return sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


def newest() -> str:
    return known_versions()[-1]


def found_version(connection: Connection) -> str | None:
    """The version of the connection's database; None where it is empty."""
    if not inspect(connection).has_table(VERSION):
        return None
    version: str | None = connection.scalar(select(column("version_num")).select_from(table(VERSION)))
    return version
