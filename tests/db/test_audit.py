"""The audit chain's contract, on SQLite and on a real MariaDB."""

import threading

import pytest
from sqlalchemy import select

from db.audit import note
from db.database import Database
from db.schema import AuditRow


def rows(database: Database) -> list[AuditRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditRow).order_by(AuditRow.seq)))


def test_each_row_holds_the_hash_of_the_one_before_it(database: Database) -> None:
    for number in range(3):
        with database.writing() as session:
            note(
                session,
                "ann@x.example",
                "entry.edited",
                f"session:{number}",
                None,
                {"status": "late"},
                "a tram",
            )
            note(session, "system", "ledger.folded", f"session:{number}")
    chain = rows(database)
    assert [row.seq for row in chain] == [1, 2, 3, 4, 5, 6]
    assert [row.prev for row in chain] == ["0" * 64, *(row.hash for row in chain[:-1])]
    assert chain[0].detail == '{"after":{"status":"late"},"before":null,"reason":"a tram"}'


def test_what_is_undone_leaves_no_row(database: Database) -> None:
    with pytest.raises(RuntimeError), database.writing() as session:  # noqa: PT012
        note(session, "system", "look.stored", "session:1")
        raise RuntimeError
    with database.writing() as session:
        note(session, "system", "look.stored", "session:2")
    assert [(row.seq, row.subject) for row in rows(database)] == [(1, "session:2")]


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    def write(number: int) -> None:
        for _ in range(10):
            with database.writing() as session:
                note(session, "system", "look.stored", f"session:{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = rows(database)
    assert [row.seq for row in chain] == list(range(1, 41))
    assert [row.prev for row in chain][1:] == [row.hash for row in chain][:-1]
