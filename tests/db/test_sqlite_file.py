"""SQLite files that are not whole: one clear line, and nothing changed."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from db.database import Database, make_database, open_database
from db.errors import DatabaseError
from db.schema import Course
from db.sqlite_file import check_file
from tests.db.filling import fill

ROOT = Path(__file__).parents[2]

WRITER = """
import os, signal, sys
from db.database import open_database
from db.schema import Course

database = open_database(sys.argv[1])
for number in range(60):
    with database.writing() as session:
        session.add(Course(code=f"late-{number}", time_zone="UTC", late_after_s=0, left_early_s=0, min_presence=0.0))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders with a database that has rows in every table.

    `closed`: in order. `unfinished`: with a write-ahead log that a killed program left behind.
    """
    folder = tmp_path_factory.mktemp("originals")
    path = folder / "closed" / "ledger.sqlite"
    database = make_database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        fill(connection)
    database.close()
    assert not wal_of(path).exists()
    shutil.copytree(folder / "closed", folder / "unfinished")
    other = folder / "unfinished" / "ledger.sqlite"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-c", WRITER, f"sqlite:///{other}"]
    subprocess.run(program, env=environment, check=False, timeout=60)
    assert wal_of(other).stat().st_size > 100_000
    return folder


@pytest.fixture
def path(originals: Path, tmp_path: Path) -> Path:
    return shutil.copytree(originals / "closed", tmp_path / "store") / "ledger.sqlite"


@pytest.fixture
def unfinished(originals: Path, tmp_path: Path) -> Path:
    return shutil.copytree(originals / "unfinished", tmp_path / "store") / "ledger.sqlite"


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def refused(path: Path) -> str:
    """The one line with which the file is refused, by every way in, without a byte changed."""
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    said = []
    for way_in in (open_database, make_database):
        with pytest.raises(DatabaseError) as error:
            way_in(f"sqlite:///{path}")
        said.append(str(error.value))
        assert not error.value.transient
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before
    assert said[0] == said[1]
    assert "\n" not in said[0]
    return said[0]


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))
    assert "restore it from a backup" in refused(path)


@pytest.mark.parametrize("lost_bytes", [1, 100, 4095, 4096, 8192])
def test_a_file_that_lost_its_end_is_refused(path: Path, lost_bytes: int) -> None:
    os.truncate(path, path.stat().st_size - lost_bytes)
    assert "is damaged" in refused(path)


def test_an_empty_file_is_no_new_database(path: Path) -> None:
    os.truncate(path, 0)
    assert "is empty; restore it from a backup, or remove the file and run 'gridroll init'" in refused(path)


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"\x00" * 100, b"PK\x03\x04" + b"x" * 96])
def test_an_overwritten_header_is_refused(path: Path, garbage: bytes) -> None:
    content = path.read_bytes()
    path.write_bytes(garbage + content[100:])
    assert "damaged or no SQLite database" in refused(path)


def test_a_log_that_is_none_is_refused_before_sqlite_throws_it_away(unfinished: Path) -> None:
    wal = wal_of(unfinished)
    wal.write_bytes(os.urandom(wal.stat().st_size))
    assert "it is no write-ahead log" in refused(unfinished)


def test_a_file_cut_short_beside_a_log_is_refused(unfinished: Path) -> None:
    os.truncate(unfinished, unfinished.stat().st_size // 2)
    assert "pages are cut off" in refused(unfinished)


def test_what_a_killed_program_had_committed_is_there(unfinished: Path) -> None:
    assert count(unfinished) == 60


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_log_cut_short_leaves_the_transactions_before_the_cut(unfinished: Path, share: float) -> None:
    wal = wal_of(unfinished)
    os.truncate(wal, int(wal.stat().st_size * share))
    left = count(unfinished)
    assert (left == 0) if share == 0 else (0 < left < 60)
    database = open_database(f"sqlite:///{unfinished}")
    database.examine()
    database.close()


def test_a_log_of_which_nothing_reached_the_disk_is_an_empty_one(path: Path) -> None:
    wal_of(path).write_bytes(b"\x00" * 8192)
    open_database(f"sqlite:///{path}").close()


def test_a_page_that_is_damaged_inside_is_found_by_examining(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        (page,) = other.execute("SELECT rootpage FROM sqlite_master WHERE name = 'consents'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    database = open_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match=r"is damaged.*restore it from a backup") as error:
        database.examine()
    assert "\n" not in str(error.value)
    database.close()


def test_rows_that_refer_to_none_are_found_by_examining(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("DELETE FROM students WHERE id = 2")
    other.commit()
    other.close()
    database = open_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match="rows refer to others that are not there"):
        database.examine()
    database.close()


def test_a_file_that_others_write_is_never_taken_for_damaged(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    done = threading.Event()

    def write() -> None:
        for number in range(150):
            with database.writing() as session:
                session.add(Course(code=f"busy-{number}", late_after_s=0, left_early_s=0, min_presence=0.0))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    checks = 0
    while not done.is_set():
        check_file(path)
        checks += 1
    writer.join()
    assert checks > 20
    database.close()


def test_a_file_into_which_another_program_is_just_bringing_its_log_is_not_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:8192])  # its header says already how long it will be
    monkeypatch.setattr("db.sqlite_file.time.sleep", lambda seconds: path.write_bytes(whole))
    check_file(path)


def test_a_copy_of_the_file_and_its_log_is_whole(unfinished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (unfinished, wal_of(unfinished)):
        shutil.copy(file, copy)
    assert count(copy / unfinished.name) == 60


def count(path: Path) -> int:
    database = open_database(f"sqlite:///{path}")
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM courses WHERE code LIKE 'late-%'").scalar()
    database.close()
    assert isinstance(found, int)
    return found


def test_looking_at_a_file_leaves_it_in_use(tmp_path: Path) -> None:
    """Another program that is the last to leave removes the log; under a connection that is open, that loses data."""
    path = tmp_path / "ledger.sqlite"
    database = make_database(f"sqlite:///{path}")
    with database.reading() as session:
        session.execute(text("SELECT 1"))  # stays open in the pool
    check_file(path)
    leave = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('CREATE TABLE x (y)'); c.close()"
    )
    subprocess.run([sys.executable, "-c", leave, str(path)], check=True)
    assert path.with_name("ledger.sqlite-wal").exists()
    database.close()
    assert not path.with_name("ledger.sqlite-wal").exists()
