"""All tables as they are at one moment, while others write."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select

from db.database import Database
from db.errors import DatabaseError
from db.schema import AuditHead

__all__ = ["Snapshot", "snapshot_of"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`engine`: the database's kind and version. `audit_seq`, `audit_hash`: the end of the audit chain."""

    connection: Connection
    engine: str
    audit_seq: int
    audit_hash: str


@contextmanager
def snapshot_of(database: Database) -> Iterator[Snapshot]:
    """A connection that sees one moment for as long as this lasts, and keeps nobody from writing."""
    with database.reading() as session:
        connection = session.connection()
        # On each of the databases the first read is what fixes the moment.
        head = session.execute(select(AuditHead.seq, AuditHead.hash).where(AuditHead.id == 1)).first()
        if head is None:
            raise DatabaseError("the head of the audit chain is missing; restore the database from a backup")
        version = ".".join(map(str, database.engine.dialect.server_version_info or ()))
        kind = (
            "mariadb"
            if getattr(database.engine.dialect, "is_mariadb", False)
            else database.engine.dialect.name
        )
        yield Snapshot(connection, f"{kind} {version}".strip(), head.seq, head.hash)
