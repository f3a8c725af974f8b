"""The database through an archive, in all four directions."""

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, select, text

from db.audit import note
from db.backup.archive import open_archive
from db.backup.exchange import exchanging
from db.backup.manifest import ArchiveError, Manifest
from db.backup.snapshot import snapshot_of
from db.backup.stage import check_revision, holds_rows, staged_database
from db.backup.tables import dump_tables
from db.backup.writer import new_archive
from db.database import Database, make_database, open_database
from db.errors import DatabaseError, StoreError
from db.schema import AuditRow, LookRow, SightingRow, Student
from tests.stock import START, contents, fill

LOOK = {
    "began_at": START,
    "taken_at": START,
    "headcount": 3,
    "identified": 0,
    "unknown": 3,
    "searches": 0,
    "paid": 0,
}


def save(database: Database, path: Path) -> Manifest:
    with snapshot_of(database) as snapshot, new_archive(path, force=True) as writer:
        dump_tables(snapshot.connection, writer)
        manifest = Manifest(
            datetime.now(UTC),
            "0.1.0",
            snapshot.engine,
            database.revision() or "",
            snapshot.audit_seq,
            snapshot.audit_hash,
            (),
            tuple(writer.members),
        )
        writer.finish(manifest)
    return manifest


def load(path: Path, url: str, *, replace: bool = False) -> None:
    with open_archive(path) as archive, staged_database(archive, url, replace=replace) as put:
        put()


@contextmanager
def opened(url: str) -> Iterator[Database]:
    with closing(open_database(url)) as database:
        yield database


def test_every_row_of_every_table_comes_back_exactly_and_keys_go_on_counting(
    database: Database, target_url: str, tmp_path: Path
) -> None:
    fill(database)
    before = contents(database)
    assert all(before.values()), "a table without rows proves nothing"
    save(database, tmp_path / "a.tar")
    load(tmp_path / "a.tar", target_url)
    with opened(target_url) as restored:
        assert contents(restored) == before
        with restored.writing() as session:
            new = Student(student_no="new", name="N", email="n@x.example")
            session.add(new)
            session.flush()
            assert new.id == 6
        with pytest.raises(DatabaseError), restored.writing() as session:
            session.execute(text("UPDATE enrolments SET student_id = 999"))


def test_what_is_there_is_given_up_only_when_asked_and_in_the_last_step(
    target_url: str, tmp_path: Path
) -> None:
    with closing(make_database(f"sqlite:///{tmp_path / 'source.sqlite'}")) as source:
        fill(source, rows=3)
        save(source, tmp_path / "a.tar")
        before = contents(source)
    with closing(make_database(target_url)) as target:
        assert not holds_rows(target_url)
        fill(target, rows=7, seed=2)
        held = contents(target)
    assert holds_rows(target_url)
    if target_url.startswith(
        "mysql"
    ):  # what is in a file was looked at before; a server's tables, under their locks
        with pytest.raises(ArchiveError, match="--replace"):
            load(tmp_path / "a.tar", target_url)
    with (
        pytest.raises(RuntimeError),
        open_archive(tmp_path / "a.tar") as archive,
        staged_database(archive, target_url, replace=True),
    ):
        raise RuntimeError
    with opened(target_url) as target:
        assert contents(target) == held
    load(tmp_path / "a.tar", target_url, replace=True)
    with opened(target_url) as target:
        after = contents(target)
    # Crops that are given up stay known, to be swept away.
    blobs = after.pop("evidence_blobs")
    assert blobs[:3] == before.pop("evidence_blobs")
    assert {row[0] for row in blobs} == {row[0] for row in held["evidence_blobs"]}
    assert after == before
    assert list(tmp_path.rglob("*.part*")) == []


OLD: dict[str, list[tuple[Any, ...]]] = {
    "students": [(1, "s1", "A", "a@x.example")],
    "courses": [(1, "X", "UTC", 600, 600, 0.1)],
    "sessions": [(1, 1, "T", "2026-11-20T09:00:00.000001", "2026-11-20T10:00:00.000000")],
    "looks": [(1, 1, "u", *["2026-11-20T09:00:00.000001"] * 2, "scheduled", 3, 1, 2, 0, 0, 0)],
    "attendance": [(1, 1, 1, "late", None, None, None, None, 12.5, None, "system", 1)],
}
KINDS = {"INTEGER": "int", "DOUBLE": "real", "DATETIME": "moment"}


def save_old(path: Path, schema: Database) -> None:
    """An archive as a program of the schema 0003 would have written it."""
    with new_archive(path, force=False) as writer:
        found = MetaData()
        found.reflect(schema.engine)
        for table in found.sorted_tables:
            name = table.name
            columns = [[one.name, KINDS.get(str(one.type), "text")] for one in list(table.columns)]
            if name == "alembic_version":
                continue
            with writer.member(f"database/{name}.jsonl.gz") as member:
                member.write(json.dumps({"columns": columns}).encode() + b"\n")
                for row in OLD.get(name, []):
                    member.write(json.dumps(row).encode() + b"\n")
                    member.count += 1
        writer.finish(
            Manifest(datetime.now(UTC), "0.0.9", "sqlite", "0003", 0, "0" * 64, (), tuple(writer.members))
        )


def test_an_older_schema_is_brought_up_to_date(target_url: str, tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'old.sqlite'}")) as old:
        old.migrate("0003")
        save_old(tmp_path / "old.tar", old)
    load(tmp_path / "old.tar", target_url)
    with opened(target_url) as restored, restored.reading() as session:
        assert session.execute(text("SELECT status, machine_status FROM attendance")).all() == [
            ("late", "late")
        ]
        assert session.execute(text("SELECT seq FROM audit_head")).all() == [(0,)]


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    manifest = Manifest(datetime.now(UTC), "9", "sqlite", "9999", 0, "", (), ())
    with pytest.raises(ArchiveError, match=r"schema version '9999', which is newer.*upgrade Gridroll"):
        check_revision(manifest, tmp_path / "a.tar")


def test_a_snapshot_holds_whole_looks_only_while_looks_are_stored(database: Database, tmp_path: Path) -> None:
    fill(database, rows=1)
    ended = threading.Event()
    stored: list[int] = []

    def write() -> None:
        number = 1
        while not ended.is_set():
            number += 1
            with database.writing() as session:
                look = LookRow(session_id=1, uid=str(number), trigger="scheduled", **LOOK)
                session.add(look)
                session.flush()
                session.add_all(
                    SightingRow(look_id=look.id, track=str(head), x1=0, y1=0, x2=1, y2=1) for head in range(3)
                )
                note(session, "system", "look.stored", f"session:1/look:{number}")
            stored.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(stored) < 20:
            time.sleep(0.01)
        before = len(stored)
        manifest = save(database, tmp_path / "a.tar")
        after = len(stored)
    finally:
        ended.set()
        writer.join()
    restored_url = f"sqlite:///{tmp_path / 'restored.sqlite'}"
    load(tmp_path / "a.tar", restored_url)
    with opened(restored_url) as restored, restored.reading() as session:
        sightings = Counter(session.scalars(select(SightingRow.look_id)))
        looks = session.scalars(select(LookRow.id).where(LookRow.id > 1)).all()
        assert before <= len(looks) <= after + 1
        assert {sightings[look] for look in looks} == {3}
        assert session.scalars(select(AuditRow.seq)).all()[-1] == manifest.audit_seq == len(looks) + 2


def test_a_file_that_another_program_has_open_is_not_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with closing(make_database(url)) as running:
        fill(running)
        save(running, tmp_path / "a.tar")
        with pytest.raises(StoreError, match="in use by another program; stop") as error:
            load(tmp_path / "a.tar", url, replace=True)
        assert error.value.transient
    load(tmp_path / "a.tar", url, replace=True)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 50, b"SQLite format 3\x00" + b"\xff" * 4000, b""]
)
def test_a_damaged_file_is_replaced_when_asked(tmp_path: Path, content: bytes) -> None:
    with closing(make_database(f"sqlite:///{tmp_path / 'good.sqlite'}")) as good:
        fill(good)
        save(good, tmp_path / "a.tar")
        before = contents(good)
    place = tmp_path / "ledger.sqlite"
    place.write_bytes(content)
    place.with_name("ledger.sqlite-wal").write_bytes(b"left over" * 100)
    assert holds_rows(f"sqlite:///{place}") == bool(content)
    load(tmp_path / "a.tar", f"sqlite:///{place}", replace=True)
    with opened(f"sqlite:///{place}") as restored:
        assert contents(restored) == before
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_server_s_other_tables_stay_as_they_are(mariadb_target: str, tmp_path: Path) -> None:
    with closing(make_database(f"sqlite:///{tmp_path / 'source.sqlite'}")) as source:
        fill(source)
        save(source, tmp_path / "a.tar")
    with closing(Database(mariadb_target)) as target, target.writing() as session:
        session.execute(text("CREATE TABLE orders (id INT)"))
        session.execute(text("INSERT INTO orders VALUES (1)"))
    assert not holds_rows(mariadb_target)
    load(tmp_path / "a.tar", mariadb_target)
    assert holds_rows(mariadb_target)
    with opened(mariadb_target) as target, target.reading() as session:
        assert session.execute(text("SELECT id FROM orders")).all() == [(1,)]


def test_a_server_s_database_is_not_replaced_while_others_are_connected(
    mariadb_target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.backup.stage.PATIENCE_S", 0.3)
    with closing(make_database(mariadb_target)) as running:
        fill(running)
        save(running, tmp_path / "a.tar")  # from here on idle, as an agent between two looks
        with pytest.raises(
            ArchiveError, match=r"[12] other connections use mysql.*; stop 'gridroll watch'"
        ) as error:
            load(tmp_path / "a.tar", mariadb_target, replace=True)
        assert error.value.transient
    load(tmp_path / "a.tar", mariadb_target, replace=True)


def test_who_waits_for_a_file_that_is_replaced_writes_nothing_unseen(tmp_path: Path) -> None:
    place, new = tmp_path / "faces.sqlite", tmp_path / "faces.sqlite.part"
    for path in (place, new):
        with closing(sqlite3.connect(path)) as made:
            made.execute("CREATE TABLE face (name TEXT)")
            made.commit()
    with closing(sqlite3.connect(place, isolation_level=None, timeout=30)) as late:
        with exchanging(new, place) as exchange:
            writing = threading.Thread(target=exchange)
            writing.start()
            writing.join()
        with pytest.raises(sqlite3.OperationalError, match=r"readonly|no such table"):
            late.execute("INSERT INTO face VALUES ('lost')")
