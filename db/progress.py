"""How far a migration got on a server that commits each change of the schema by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, TextClause, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ExecutableDDLElement

from db.errors import DatabaseError

__all__ = ["Progress"]

TABLE = "migration_progress"
NOTHING = text("DO 0")
CHANGING = ("ALTER", "CREATE", "DELETE", "DROP", "INSERT", "RENAME", "REPLACE", "UPDATE")

ALREADY = {1005, 1022, 1050, 1051, 1060, 1061, 1091, 1826}
"""The server's words for a table, column, index or foreign key that is there already, or gone already."""


class Progress:
    """Counts the statements of a migration step on its connection, and leaves out those done before a step was cut short.

    The count is stored before a statement and after it. Of the statement under way when the program was killed nobody
    knows whether it was done; it is sent again, and that it was done already is then no error. One that changes rows is
    committed together with its count, so it is done once and no more. Used as a context manager around the migration.

    Raises DatabaseError where a change in the other direction was cut short.
    """

    def __init__(self, connection: Connection, shown_url: str, *, up: bool) -> None:
        self._connection = connection
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {TABLE} (id INTEGER PRIMARY KEY, up INTEGER NOT NULL, "
            "begun INTEGER NOT NULL, done INTEGER NOT NULL) ENGINE=InnoDB"
        )
        row = connection.exec_driver_sql(f"SELECT up, begun, done FROM {TABLE}").first()
        if row is not None and bool(row.up) is not up:
            way = "an upgrade" if row.up else "a downgrade"
            raise DatabaseError(f"{way} of {shown_url} was cut short; finish it first, or restore a backup")
        self._up = up
        self._begun: int = row.begun if row is not None else 0
        self._done: int = row.done if row is not None else 0
        self._doubtful = self._begun if self._begun > self._done else 0
        self._count = 0
        self._mine = False

    def __enter__(self) -> "Progress":
        event.listen(self._connection, "before_execute", self._before, retval=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        event.remove(self._connection, "before_execute", self._before)
        if kind is None:
            self._connection.exec_driver_sql(f"DROP TABLE {TABLE}")

    def stepped(self, **step: object) -> None:
        """A step is done, and its version entered: both are committed together with the end of its count."""
        del step
        self._connection.exec_driver_sql(f"DELETE FROM {TABLE}")
        self._commit()
        self._begun = self._done = self._count = self._doubtful = 0

    def _before(
        self,
        connection: Connection,
        statement: Executable,
        many: Sequence[Mapping[str, Any]],
        one: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> tuple[Executable, Sequence[Mapping[str, Any]], Mapping[str, Any]]:
        del connection, options
        if self._mine or not _changes(statement):
            return statement, many, one
        self._count += 1
        if self._count > self._done:
            self._do(statement, many or one)
        return NOTHING, [], {}

    def _do(self, statement: Executable, parameters: Any) -> None:
        self._store(begun=self._count, done=self._done)
        self._commit()
        self._mine = True
        try:
            self._connection.execute(statement, parameters or None)
        except DBAPIError as error:
            code = error.orig.args[0] if error.orig is not None and error.orig.args else None
            if self._doubtful != self._count or code not in ALREADY:
                if not error.connection_invalidated:  # refused, so certainly not done
                    self._store(begun=self._done, done=self._done)
                    self._commit()
                raise
        finally:
            self._mine = False
        self._done = self._count
        self._store(begun=self._count, done=self._count)
        self._commit()

    def _store(self, begun: int, done: int) -> None:
        self._begun = begun
        self._connection.exec_driver_sql(
            f"REPLACE INTO {TABLE} (id, up, begun, done) VALUES (1, %s, %s, %s)", (int(self._up), begun, done)
        )

    def _commit(self) -> None:
        # The driver's own: the transaction that SQLAlchemy knows of spans the whole migration.
        self._connection.connection.commit()


def _changes(statement: Executable) -> bool:
    """Whether it changes schema or rows, other than the version, which is entered with the end of a step."""
    table = getattr(statement, "table", None)
    if table is None:
        table = getattr(statement, "element", None)
    if getattr(table, "name", None) == "alembic_version":
        return False
    if isinstance(statement, TextClause):
        return statement.text.lstrip().upper().startswith(CHANGING)
    return isinstance(statement, ExecutableDDLElement) or bool(getattr(statement, "is_dml", False))
