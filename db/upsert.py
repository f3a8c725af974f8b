"""Many rows in one statement: inserted, or changed where their key is there already."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session

__all__ = ["upsert"]


def upsert(
    session: Session,
    model: type[DeclarativeBase],
    rows: Sequence[Mapping[str, Any]],
    key: Collection[str],
    change: Collection[str] = (),
) -> None:
    """Insert rows given by column name; where a row of the same unique `key` is there, set the columns of `change`.

    With nothing to change, rows that are there stay as they are.
    """
    if not rows:
        return
    table = model.__table__
    assert isinstance(table, Table)
    if session.get_bind().dialect.name == "sqlite":
        lite = sqlite.insert(table)
        changes = {name: lite.excluded[name] for name in change}
        if changes:
            session.execute(lite.on_conflict_do_update(index_elements=list(key), set_=changes), list(rows))
        else:
            session.execute(lite.on_conflict_do_nothing(index_elements=list(key)), list(rows))
        return
    insert = mysql.insert(table)
    first = next(iter(key))
    session.execute(
        insert.on_duplicate_key_update({name: insert.inserted[name] for name in change or (first,)}),
        list(rows),
    )
