"""Whoever alters, removes, inserts or swaps rows of the chain is found, on SQLite and on a real MariaDB."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settle
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from db.audit import canonical, note, row_hash, seal
from db.database import Database
from db.proof.anchor import Anchor
from db.proof.chain import Head, TamperedError, walk
from db.schema import AuditHead, AuditRow

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
WORDS = st.text(LETTERS, min_size=1, max_size=12)
STATES = st.none() | st.dictionaries(WORDS, st.none() | st.booleans() | st.integers() | WORDS, max_size=3)
CHANGES = st.lists(st.tuples(WORDS, WORDS, WORDS, STATES, STATES, WORDS), min_size=1, max_size=6)
COLUMNS = ("made_at", "actor", "action", "subject", "detail", "detail_sha256", "prev_hash", "row_hash")
KINDS = (*COLUMNS, "remove", "insert", "copy", "before", "swap", "renumber", "head_seq", "head_hash", "heads")


@contextmanager
def undone(database: Database) -> Iterator[Session]:
    """A session of which nothing stays."""
    with database.engine.connect() as connection, Session(connection) as session:
        yield session
        connection.rollback()


def ends(session: Session, *anchors: Anchor) -> Head:
    """Walks the chain as the database has it, whatever the session remembers; returns its end."""
    session.expire_all()
    rows = [row for rows in walk(session, anchors) for row in rows]
    return Head(rows[-1].seq, rows[-1].hash)


def forged(value: str, data: st.DataObject) -> str:
    """Another value that is as short: a letter changed, added or gone, or only its case or a space."""
    other = data.draw(
        st.sampled_from((value + "x", value[:-1], value.swapcase(), value + " ", "x" + value[1:]))
    )
    return other if other != value else value + "y"


def tamper(session: Session, kind: str, seq: int, last: int, data: st.DataObject) -> None:
    """Change one thing with plain SQL, as somebody with the database's password would."""

    def run(statement: str, **values: Any) -> None:
        session.execute(text(statement), values)

    row = session.execute(text("SELECT * FROM audit WHERE seq = :seq"), {"seq": seq}).mappings().one()
    if kind == "made_at":
        at = session.get_one(AuditRow, seq).at + timedelta(microseconds=1)
        session.query(AuditRow).filter_by(seq=seq).update({"at": at})
    elif kind in {"detail_sha256", "prev_hash", "row_hash"}:
        place = data.draw(st.integers(0, 63))
        digit = "0" if row[kind][place] != "0" else "1"
        value = row[kind][:place] + digit + row[kind][place + 1 :]
        run(f"UPDATE audit SET {kind} = :value WHERE seq = :seq", value=value, seq=seq)
    elif kind in COLUMNS:
        run(f"UPDATE audit SET {kind} = :value WHERE seq = :seq", value=forged(row[kind], data), seq=seq)
    elif kind == "remove":
        run("DELETE FROM audit WHERE seq = :seq", seq=seq)
    elif kind in {"insert", "copy", "before"}:
        place = {"insert": seq, "copy": last + 1, "before": 0}[kind]
        if kind == "insert":
            for later in range(last, seq - 1, -1):
                run("UPDATE audit SET seq = :new WHERE seq = :old", new=later + 1, old=later)
        names = ", ".join(map(str, row))
        values = {**row, "seq": place, "row_hash": f"{'f' * 60}{data.draw(st.integers(1000, 9999))}"}
        run(f"INSERT INTO audit ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **values)
    elif kind == "swap":
        other = seq % last + 1
        if other == seq:
            run("UPDATE audit SET seq = 2 WHERE seq = 1")
        for old, new in ((seq, -1), (other, seq), (-1, other)):
            run("UPDATE audit SET seq = :new WHERE seq = :old", new=new, old=old)
    elif kind == "renumber":
        run("UPDATE audit SET seq = :new WHERE seq = :seq", new=last + 1 + seq, seq=seq)
    elif kind == "head_seq":
        run("UPDATE audit_head SET seq = seq + :by", by=data.draw(st.sampled_from((-1, 1, 1000))))
    elif kind == "head_hash":
        run("UPDATE audit_head SET row_hash = :value", value="0" * 63 + "1")
    else:
        run(
            data.draw(
                st.sampled_from(
                    (
                        "DELETE FROM audit_head",
                        "UPDATE audit_head SET id = 2",
                        f"INSERT INTO audit_head VALUES (2, 0, '{'0' * 64}')",
                    )
                )
            )
        )


@settle(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, kind=st.sampled_from(KINDS), data=st.data())
def test_any_one_change_of_any_chain_is_found(
    database: Database, changes: list[Any], kind: str, data: st.DataObject
) -> None:
    with undone(database) as session:
        for change in changes:
            note(session, *change)
        seal(session)
        session.flush()
        assert ends(session).seq == len(changes)
        tamper(session, kind, data.draw(st.integers(1, len(changes))), len(changes), data)
        with pytest.raises(TamperedError) as found:
            ends(session)
        assert "\n" not in str(found.value)


@pytest.fixture
def three(database: Database) -> Database:
    """A chain of three rows."""
    for number in range(1, 4):
        with database.writing() as session:
            note(session, "ann@x.example", "entry.edited", f"session:{number}", None, {"status": "late"})
    return database


DONE = (
    ("UPDATE audit SET actor = 'ben@x.example' WHERE seq = 2", "row 2 was altered: its fields"),
    ("UPDATE audit SET detail = '{}' WHERE seq = 2", "row 2 was altered: its detail"),
    ("UPDATE audit SET made_at = '2020-01-01 00:00:00' WHERE seq = 3", "row 3 was altered: its fields"),
    ("DELETE FROM audit WHERE seq = 2", "row 2: row 2 was removed"),
    ("DELETE FROM audit WHERE seq < 3", "row 1: rows 1 to 2 were removed"),
    ("DELETE FROM audit WHERE seq = 3", "row 3: row 3 was removed from the end"),
    ("DELETE FROM audit", "row 1: rows 1 to 3 were removed from the end"),
    ("UPDATE audit_head SET seq = 2", "row 3 is after the head"),
    (f"UPDATE audit_head SET row_hash = '{'a' * 64}'", "row 3 is not the one that the head names"),
    ("DELETE FROM audit_head", "the head of the audit chain is missing"),
)


def test_what_was_done_is_named_with_its_row(three: Database) -> None:
    for statement, message in DONE:
        with undone(three) as session:
            session.execute(text(statement))
            with pytest.raises(TamperedError, match=message):
                ends(session)


def test_a_time_that_is_none_is_an_altered_row(sqlite_database: Database) -> None:
    for _ in range(3):
        with sqlite_database.writing() as session:
            note(session, "system", "look.stored", "session:1")
    for value in ("'yesterday'", "x'00ff'"):
        with sqlite_database.engine.begin() as connection:
            connection.execute(text(f"UPDATE audit SET made_at = {value} WHERE seq = 2"))
        with pytest.raises(TamperedError, match="row 2 was altered"), sqlite_database.reading() as session:
            ends(session)


def rebuild(session: Session, first: int) -> None:
    """Change a row and write all hashes after it anew, the head too: what only an anchor finds."""
    rows = session.query(AuditRow).order_by(AuditRow.seq).all()
    rows[first - 1].actor = "ben@x.example"
    for place in range(first - 1, len(rows)):
        row = rows[place]
        row.prev = rows[place - 1].hash if place else "0" * 64
        row.hash = row_hash(row.seq, row.at, row.actor, row.action, row.subject, row.detail_sha256, row.prev)
    head = session.get_one(AuditHead, 1)
    head.hash = rows[-1].hash
    session.flush()


def anchor(head: Head) -> Anchor:
    return Anchor(head.seq, head.hash, "2026-11-20T09:00:00+00:00", "")


def test_a_chain_that_was_rebuilt_is_found_by_an_anchor_and_by_nothing_else(three: Database) -> None:
    with three.writing() as session:
        held = anchor(ends(session))
        assert ends(session, held) == Head(held.seq, held.hash)
        rebuild(session, 2)
        assert ends(session).seq == 3
        assert ends(session, replace(held, seq=1, hash=session.get_one(AuditRow, 1).hash)).seq == 3
        with pytest.raises(TamperedError, match="row 3 is not the one that the anchor of 2026-11-20"):
            ends(session, held)


def test_a_chain_that_was_cut_with_its_head_is_found_by_an_anchor(three: Database) -> None:
    with three.writing() as session:
        held = anchor(ends(session))
        first = session.get_one(AuditRow, 1)
        session.execute(text("DELETE FROM audit WHERE seq > 1"))
        session.execute(text("UPDATE audit_head SET seq = 1, row_hash = :hash"), {"hash": first.hash})
        assert ends(session).seq == 1
        with pytest.raises(TamperedError, match=r"ends at row 1, .* row 3: rows 2 to 3 were removed"):
            ends(session, held)


def test_a_row_forged_with_its_own_hash_is_found_at_the_next_one(three: Database) -> None:
    with three.writing() as session:
        row = session.get_one(AuditRow, 2)
        row.subject = "session:9"
        row.hash = row_hash(row.seq, row.at, row.actor, row.action, row.subject, row.detail_sha256, row.prev)
        session.flush()
        with pytest.raises(TamperedError, match="row 3 does not follow row 2"):
            ends(session)


def test_a_chain_is_whole_while_others_append_to_it(database: Database) -> None:
    stop, failed = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            with database.writing() as session:
                note(session, "system", "look.stored", "session:1")

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(write,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with database.reading() as session:
                list(walk(session))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed


def test_the_order_of_keys_in_a_state_is_nothing_to_the_chain() -> None:
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})
