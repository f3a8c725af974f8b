"""Counts what a page asks of the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from db.database import Database

__all__ = ["counted"]


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements sent meanwhile, but for those that only begin a transaction."""
    sent: list[str] = []

    def note(*arguments: object) -> None:
        statement = str(arguments[2])
        if not statement.startswith(("SET", "BEGIN")):
            sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)
