"""How often a page asks the ledger."""

from collections.abc import Callable

from sqlalchemy import event
from werkzeug.test import TestResponse

from db.database import Database


def counted(database: Database, ask: Callable[[], TestResponse]) -> int:
    """The number of statements behind a page, which must be shown; one that begins with SET does not count."""
    said: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.lstrip().upper().startswith("SET"):
            said.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        assert ask().status_code == 200
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(said)
