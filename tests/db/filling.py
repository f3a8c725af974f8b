"""Rows for every table of any version of the schema, made from what the database itself says of its tables."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, types

from tests.conftest import START

__all__ = ["Rows", "fill", "rows_of"]

Rows = dict[str, list[dict[str, Any]]]

ROWS = 3
NOT_OURS = ("alembic_version", "migration_progress")


def tables_of(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name not in NOT_OURS]


def fill(connection: Connection) -> None:
    """Put a few rows into every table that has none."""
    for table in tables_of(connection):
        if connection.execute(table.select()).first() is None:
            connection.execute(
                table.insert(),
                [{column.name: _value(column, i) for column in table.c} for i in range(1, ROWS + 1)],
            )
    connection.commit()


def rows_of(connection: Connection) -> Rows:
    """All rows by table, ordered by key."""
    return {
        table.name: [
            dict(row) for row in connection.execute(table.select().order_by(*table.primary_key)).mappings()
        ]
        for table in tables_of(connection)
    }


def shared(rows: Rows, others: Rows) -> Rows:
    """Those tables and columns of `rows` that `others` have too."""
    known: Mapping[str, list[dict[str, Any]]] = others
    return {
        name: [{column: row[column] for column in row if column in known[name][0]} for row in rows[name]]
        for name in rows
        if known.get(name)
    }


def _value(column: Column[Any], i: int) -> Any:
    """Different in each row; a key refers to the row of the same number."""
    kind = column.type
    if isinstance(kind, types.DateTime):
        return START + timedelta(hours=i, microseconds=123456)
    if isinstance(kind, types.LargeBinary):
        return b"\x00\xff" * i
    if isinstance(kind, types.String):
        text = f"{i} Jürgen 陳 {column.name}"
        return text[: kind.length] if kind.length else text
    if isinstance(kind, types.Boolean):
        return True
    if isinstance(kind, types.Integer):
        return 1 if column.name == "version" else i
    if isinstance(kind, types.Numeric | types.Float):
        return i + 0.123456789012345
    raise AssertionError(f"no value for {column!r}")
