"""Fills every table with rows that use what its columns can hold, and reads all tables back."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, String, Text, insert, select

from db.audit import note
from db.database import Database
from db.schema import Base
from db.types import Identifier, UTCDateTime

START = datetime(2026, 11, 20, 9, 0, 0, 123457, tzinfo=UTC)
CHAINED = {"audit", "audit_head"}


def fill(database: Database, rows: int = 5, seed: int = 1) -> None:
    """Put `rows` rows into each table, the last with NULL wherever it may be, and two changes on the audit chain."""
    dice = random.Random(seed)
    with database.writing() as session:
        for table in Base.metadata.sorted_tables:
            if table.name not in CHAINED:
                made = [
                    {column.name: _value(column, number, rows, dice) for column in table.columns}
                    for number in range(1, rows + 1)
                ]
                session.execute(insert(table), made)
        note(
            session,
            "ann@school.example",
            "entry.edited",
            "session:1/student:2",
            {"status": "late"},
            None,
            "“é”",
        )
        note(session, "system", "session.started", "session:1", after={"at": START})


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, by primary key."""
    with database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def _value(column: Column[Any], number: int, rows: int, dice: random.Random) -> Any:
    if column.nullable and number == rows:
        return None
    if column.foreign_keys:
        # What a foreign key refers to was made by the same rule.
        (key,) = column.foreign_keys
        return _value(key.column, number, rows, dice)
    match column.type:
        case UTCDateTime():
            return START + timedelta(microseconds=dice.randrange(10**13))
        case Boolean():
            return number % 2 == 0
        case Float():
            return dice.random() * 10 ** dice.randint(-12, 12)
        case Integer():
            return number if column.primary_key else dice.randrange(2**31)
        case LargeBinary():
            return dice.randbytes(300)
        case Identifier():
            return f"{number:x}".rjust(min(64, column.type.length), "f")
        case Text():
            return f"{number}: “Zoë” \x7f \\ \" ' \r\n\t 🎓 \u2028 {'x' * 500}"
        case String():
            return f"{number} Ünï"[: column.type.length]
    raise TypeError(str(column))
