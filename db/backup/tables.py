"""The database's tables as lines of JSON, the same from SQLite as from MySQL or MariaDB.

The first line of a member names its columns and their kinds, each further one is a row. Moments are text in UTC with
microseconds, numbers keep every digit, bytes are base64.
"""

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    String,
    column,
    insert,
    inspect,
    select,
    table,
)
from sqlalchemy.types import TypeEngine

from db.backup.archive import Archive
from db.backup.manifest import Member
from db.backup.writer import ArchiveWriter
from db.schema import Base
from db.types import Identifier, Real, UTCDateTime

__all__ = ["dump_tables", "load_tables", "own_tables", "tables_of"]

FOLDER = "database/"
BATCH = 2000

TYPES: dict[str, TypeEngine[Any]] = {
    "int": BigInteger(),
    "real": Real,
    "bool": Boolean(),
    "text": String(),
    "bytes": LargeBinary(),
    "moment": UTCDateTime(),
}


def dump_tables(connection: Connection, archive: ArchiveWriter) -> None:
    """Write all tables of this program's schema, referred-to tables first. `connection`: on a consistent snapshot."""
    for one in Base.metadata.sorted_tables:
        kinds = [_kind(found) for found in one.columns]
        changes = [(place, _PLAIN[kind]) for place, kind in enumerate(kinds) if kind in _PLAIN]
        query = select(one).order_by(*one.primary_key).execution_options(yield_per=BATCH)
        with archive.member(f"{FOLDER}{one.name}.jsonl.gz") as member:
            named = [[found.name, kind] for found, kind in zip(one.columns, kinds, strict=True)]
            member.write(_line({"columns": named}))
            for rows in connection.execute(query).partitions():
                member.write(b"".join([_line(_plain(row, changes)) for row in rows]))
                member.count += len(rows)


def own_tables(connection: Connection) -> set[str]:
    """Names of Gridroll's tables among those of a database that it may share with other programs."""
    return set(inspect(connection).get_table_names()) & set(Base.metadata.tables)


def load_tables(connection: Connection, archive: Archive, tables: Collection[str]) -> None:
    """Insert the rows of `tables`, whose columns must be those of the archive; the tables are emptied first.

    The caller holds a transaction and commits it. Raises ArchiveError where the archive and the schema disagree.
    """
    members = tables_of(archive)
    if unlike := set(members) ^ set(tables):
        raise archive.damaged(f"its tables are not those of its schema: {', '.join(sorted(unlike))[:200]}")
    for name in reversed(members):
        _empty(connection, name)
    for name, member in members.items():
        rows = _rows(connection, archive, name, member)
        columns: list[Column[Any]] = next(rows)
        statement = insert(table(name, *columns))
        count = 0
        while batch := list(islice(rows, BATCH)):
            connection.execute(statement, batch)
            count += len(batch)
        if count != member.count:
            raise archive.damaged(f"{member.name} holds {count} rows and not {member.count}")


def tables_of(archive: Archive) -> dict[str, Member]:
    """The members that hold tables, by the table's name, in the order of writing."""
    return {
        member.name.removeprefix(FOLDER).partition(".")[0]: member
        for member in archive.manifest.members
        if member.name.startswith(FOLDER)
    }


def _empty(connection: Connection, name: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DELETE FROM {name}")
        return
    # In parts: no single statement may take longer than an answer is waited for.
    while connection.exec_driver_sql(f"DELETE FROM `{name}` LIMIT 20000").rowcount:
        pass


def _rows(connection: Connection, archive: Archive, name: str, member: Member) -> Iterator[Any]:
    """First the columns, then each row as a dictionary."""
    lines = archive.lines(member)
    try:
        named = [(str(key), str(kind)) for key, kind in json.loads(next(lines))["columns"]]
        there = {found["name"] for found in inspect(connection).get_columns(name)}
        if {key for key, _ in named} != there or len(named) != len(there):
            raise archive.damaged(f"the columns of {name} are not those of its schema")
        yield [column(key, TYPES[kind]) for key, kind in named]
        keys = [key for key, _ in named]
        readers = [_READ[kind] for _, kind in named]
        for line in lines:
            values = json.loads(line)
            if type(values) is not list:
                raise ValueError("no row")
            yield {
                key: None if value is None else read(value)
                for key, read, value in zip(keys, readers, values, strict=True)
            }
    except (ValueError, TypeError, KeyError, StopIteration, RecursionError, binascii.Error) as error:
        raise archive.damaged(f"a line of {member.name} is no row of its table") from error


def _kind(found: Column[Any]) -> str:
    match found.type:
        case UTCDateTime():
            return "moment"
        case Boolean():
            return "bool"
        case Integer():
            return "int"
        case Float():
            return "real"
        case LargeBinary():
            return "bytes"
        case String() | Identifier():
            return "text"
    raise TypeError(f"{found} is of a type that archives do not know")


def _plain(row: Any, changes: list[tuple[int, Callable[[Any], str]]]) -> list[Any]:
    values = list(row)
    for place, change in changes:
        if values[place] is not None:
            values[place] = change(values[place])
    return values


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _shown(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")


def _coded(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=UTC)


def _exactly(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _bytes(value: str) -> bytes:
    return b64decode(value, validate=True)


_PLAIN: dict[str, Callable[[Any], str]] = {"moment": _shown, "bytes": _coded}
_READ: dict[str, Callable[[Any], Any]] = {
    "int": _exactly(int),
    "real": _exactly(float),
    "bool": _exactly(bool),
    "text": _exactly(str),
    "bytes": _bytes,
    "moment": _moment,
}
