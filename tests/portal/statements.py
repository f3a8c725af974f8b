"""Counts what a page asks of the ledger."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from db.database import Database

__all__ = ["MOST", "counting"]

MOST = 12
"""Statements of a page, however much there is."""


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """The statements sent meanwhile, those left out that only set how they are to be answered."""
    said: list[str] = []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith(("SET", "BEGIN")):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
