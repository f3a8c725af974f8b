"""A database that fails under the real commands: one clear line each, the data as it was, and all well afterwards."""

import gc
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest

from db.database import open_database
from demo.cast import CAST, portrait
from demo.gallery import Seat, draw_gallery
from tests.db.filling import rows_of
from tests.e2e.conftest import Run, lines
from tests.mariadb_server import MariaServer

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
LOOKS = 4
HEADER = "student_no,name,email,photo\n"

Failing = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rosters of one and of two students, and a minute of a meeting of one of them and somebody unknown."""
    folder = tmp_path_factory.mktemp("files")
    cv2.imwrite(str(folder / "one.png"), portrait(CAST[0]))
    (folder / "one.csv").write_text(f"{HEADER}S1,Ann,a@x.example,one.png\n")
    (folder / "two.csv").write_text(f"{HEADER}S1,Ann,a@x.example,one.png\nS2,Ben,b@x.example,\n")
    (folder / "frames").mkdir()
    seats = [Seat(person, person.name, camera_on=True, backdrop_seed=n) for n, person in enumerate(CAST[:2])]
    for look in range(LOOKS):
        at = START + timedelta(seconds=15 * look)
        frame = draw_gallery(seats, 15.0 * look, (1280, 720), None, "Biology", "00:00")
        cv2.imwrite(str(folder / "frames" / f"{at:%Y%m%dT%H%M%SZ}.png"), frame)
    return folder


@pytest.fixture
def prepare(run: Run, files: Path, cache_server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the stores, a roster of one and a session that was watched once."""
    # The cache remembers who sat where in session 1, which is another one in every test.
    monkeypatch.setenv("GRIDROLL_CACHE_URL", f"{cache_server.rstrip('/')}/test_{os.urandom(6).hex()}")

    def prepare() -> None:
        for line in (
            "init",
            f"roster import BIO {files}/one.csv --consent form-7",
            f"session start BIO --starts-at {START.isoformat()} --minutes 1",
            f"watch --session 1 --source {files}/frames --every 15-15",
            "reviews list 1",
            f"session start BIO --starts-at {START.isoformat()} --minutes 1",
        ):
            code, _, err = run(*line.split())
            assert code == 0, err

    return prepare


def writers(files: Path, review: int = 1) -> list[list[str]]:
    """A command line of every kind that writes."""
    return [
        ["init"],
        ["roster", "import", "BIO", f"{files}/two.csv", "--consent", "form-7"],
        ["session", "start", "BIO"],
        ["watch", "--session", "2", "--source", f"{files}/frames", "--every", "15-15"],
        ["reviews", "guest", str(review), "Visitor"],
        ["user", "add", "sue@x.example", "--role", "admin", "--generate"],
    ]


def rows(url: str) -> dict[str, list[dict[str, Any]]]:
    with closing(open_database(url)) as database, database.engine.connect() as connection:
        database.examine()
        return rows_of(connection)


def check(run: Run, files: Path, url: str, failing: Failing, spared: int = 0) -> set[str]:
    """Try every writer while the database fails, then for good, twice. Returns what the failing ones said.

    `spared`: so many of the writers do nothing here that could fail, from the first on.
    """
    before, said = rows(url), set()
    commands = writers(files, before["reviews"][0]["id"])
    with failing():
        for line in commands[spared:]:
            code, _, err = run(*line)
            assert code == 1, f"{line} did not fail"
            assert len(lines(err)) == 1, err
            assert err.startswith("gridroll: "), err
            said.add(err.strip())
    assert rows(url) == before
    for line in commands:
        code, _, err = run(*line)
        assert code == 0, f"{line}: {err}"
    after = rows(url)
    gained = {table: len(after[table]) - len(before[table]) for table in after}
    once = {"students": 1, "enrolments": 1, "sessions": 1, "users": 1, "judgements": 1, "looks": LOOKS}
    assert {table: gained[table] for table in once} == once
    assert run(*commands[1])[0] == 0
    assert run(*commands[3])[0] == 0
    again = rows(url)
    assert {table: again[table] for table in once} == {table: after[table] for table in once}
    assert run("audit", "verify")[0] == 0
    return said


# -------------------------------------------------------------------------------------------- SQLite


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for the ledger's file."""
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", f"sqlite:///{folder}/ledger.sqlite")
    monkeypatch.setattr("db.connections.BUSY_TIMEOUT_MS", 50)
    return folder


def mount(*arguments: str) -> None:
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode
    ):
        pytest.skip("file systems cannot be mounted here; root in a container that may, can")


def unmount(folder: Path) -> None:
    gc.collect()  # a command that failed may have left files open, which as a program of its own it would not
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(store: Path) -> Iterator[Path]:
    """The folder on a disk of 8 MB."""
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(store))
    yield store
    unmount(store)


@contextmanager
def full(disk: Path, free_bytes: int = 0) -> Iterator[None]:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\x00" * 4096)
        except OSError:
            file.truncate(max(0, file.tell() - free_bytes))
    try:
        yield
    finally:
        ballast.unlink()


def test_a_full_disk(run: Run, prepare: Callable[[], None], files: Path, small_disk: Path) -> None:
    prepare()
    said = check(run, files, f"sqlite:///{small_disk}/ledger.sqlite", lambda: full(small_disk), spared=1)
    assert all("disk" in line or "no space left" in line for line in said), said


def test_a_disk_that_fills_up_in_the_middle(run: Run, prepare: Callable[[], None], small_disk: Path) -> None:
    prepare()
    url, acknowledged, refused = f"sqlite:///{small_disk}/ledger.sqlite", 2, 0
    for kilobytes in (36, 40, 48, 64, 80, 96, 112, 128, 160):
        with full(small_disk, free_bytes=1024 * kilobytes):
            code, _, err = run("session", "start", "BIO")
        acknowledged += code == 0
        refused += code != 0
        assert len(lines(err)) == (code != 0)
        assert len(rows(url)["sessions"]) == acknowledged
    assert acknowledged > 2
    assert refused > 1


def test_a_disk_that_fills_up_while_a_class_is_watched(
    run: Run, prepare: Callable[[], None], files: Path, small_disk: Path
) -> None:
    prepare()
    url, watch = f"sqlite:///{small_disk}/ledger.sqlite", writers(files)[3]
    outcomes = set()
    for kilobytes in (64, 112, 160, 208):
        with full(small_disk, free_bytes=1024 * kilobytes):
            code, out, err = run(*watch)
        assert len(lines(err)) == (code != 0), err
        looks = [look for look in rows(url)["looks"] if look["session_id"] == 2]
        assert len({look["uid"] for look in looks}) == len(looks) >= len(lines(out))
        outcomes.add(len(looks))
    assert len(outcomes) > 1, "all failed at once, or none did"
    assert run(*watch)[0] == 0
    assert len([look for look in rows(url)["looks"] if look["session_id"] == 2]) == LOOKS
    assert run("audit", "verify")[0] == 0


def test_the_first_init_on_a_full_disk_can_be_repeated(run: Run, small_disk: Path) -> None:
    for free_bytes in (0, 65536, 262144):
        with full(small_disk, free_bytes):
            code, _, err = run("init")
        assert code == 1
        assert len(lines(err)) == 1, err
    code, _, err = run("init")
    assert code == 0, err


def test_a_limit_on_the_size_of_files(
    run: Run, prepare: Callable[[], None], files: Path, store: Path
) -> None:
    prepare()

    @contextmanager
    def limited() -> Iterator[None]:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

    said = check(run, files, f"sqlite:///{store}/ledger.sqlite", limited, spared=1)
    assert all("disk" in line for line in said), said


def test_a_folder_that_is_read_only(run: Run, prepare: Callable[[], None], files: Path, store: Path) -> None:
    prepare()

    @contextmanager
    def read_only() -> Iterator[None]:
        if os.geteuid() == 0:
            mount("--bind", str(store), str(store))
            mount("-o", "remount,ro,bind", str(store))
        else:
            store.chmod(0o500)
            (store / "ledger.sqlite").chmod(0o400)
        try:
            yield
        finally:
            if os.geteuid() == 0:
                unmount(store)
            else:
                store.chmod(0o700)
                (store / "ledger.sqlite").chmod(0o600)

    said = check(run, files, f"sqlite:///{store}/ledger.sqlite", read_only)
    assert all("cannot be written" in line and "check the folder's permissions" in line for line in said), (
        said
    )


def test_a_file_that_another_program_holds(
    run: Run, prepare: Callable[[], None], files: Path, store: Path
) -> None:
    prepare()

    @contextmanager
    def held() -> Iterator[None]:
        with closing(sqlite3.connect(store / "ledger.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield

    said = check(run, files, f"sqlite:///{store}/ledger.sqlite", held)
    assert all("is locked by another program; close it there, then try again" in line for line in said), said


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: os.truncate(path, path.stat().st_size // 2), "is damaged"),
        (lambda path: os.truncate(path, 0), "is empty"),
        (lambda path: path.write_bytes(os.urandom(100) + path.read_bytes()[100:]), "no SQLite database"),
        (
            lambda path: path.with_name("ledger.sqlite-wal").write_bytes(os.urandom(9000)),
            "no write-ahead log",
        ),
    ],
    ids=["truncated", "emptied", "overwritten header", "garbage as log"],
)
def test_a_damaged_file_is_left_alone_until_it_is_restored(
    run: Run,
    prepare: Callable[[], None],
    files: Path,
    store: Path,
    tmp_path: Path,
    damage: Callable[[Path], Any],
    message: str,
) -> None:
    assert run("init")[0] == 0
    shutil.copytree(store, tmp_path / "backup")
    damage(store / "ledger.sqlite")
    before = {file.name: file.read_bytes() for file in store.iterdir()}
    for line in [*writers(files), ["report", "1"], ["faces", "list"], ["doctor"]]:
        code, out, err = run(*line)
        assert code == 1, line
        assert message in " ".join((out + err).split()), line
        assert line == ["doctor"] or len(lines(err)) == 1
    assert {file.name: file.read_bytes() for file in store.iterdir()} == before
    shutil.rmtree(store)
    shutil.copytree(tmp_path / "backup", store)
    assert run("init")[0] == 0


def test_a_schema_from_the_future(run: Run, files: Path, store: Path) -> None:
    assert run("init")[0] == 0
    path = store / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    before = path.read_bytes()
    for line in writers(files):
        code, _, err = run(*line)
        assert code == 1
        assert len(lines(err)) == 1
        assert "schema version 9999" in err
        assert "upgrade Gridroll" in err
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there(run: Run, files: Path, store: Path) -> None:
    assert run("init")[0] == 0
    shutil.rmtree(store)
    for line in writers(files)[1:]:
        code, _, err = run(*line)
        assert code == 1
        assert "run 'gridroll init' first" in err
    assert not store.exists()
    store.write_text("a file in the way")
    code, _, err = run("init")
    assert code == 1
    assert "cannot make" in err
    assert len(lines(err)) == 1


# ------------------------------------------------------------------------------------------- MariaDB


@pytest.fixture(scope="module")
def server(start_mariadb: Callable[..., MariaServer]) -> MariaServer:
    """A server that tests stop, hang and forbid to write."""
    return start_mariadb(durable=True)


@pytest.fixture
def url(server: MariaServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"test_{os.urandom(6).hex()}"
    server.tell(
        f"CREATE DATABASE {name}",
        "CREATE OR REPLACE USER gridroll@'127.0.0.1' IDENTIFIED BY 'secret'",
        f"GRANT ALL ON {name}.* TO gridroll@'127.0.0.1'",
    )
    url = f"mysql+pymysql://gridroll:secret@127.0.0.1:{server.port}/{name}"
    monkeypatch.setenv("GRIDROLL_DATABASE_URL", url)
    monkeypatch.setattr("db.database.PATIENCE_S", 0.5)
    yield url
    server.tell(f"DROP DATABASE {name}")


def test_a_server_that_is_away(
    run: Run, prepare: Callable[[], None], files: Path, server: MariaServer, url: str
) -> None:
    prepare()

    @contextmanager
    def away() -> Iterator[None]:
        server.kill()
        yield
        server.start()

    said = check(run, files, url, away)
    assert all("cannot be reached" in line and "check that the server runs" in line for line in said), said
    assert not any("secret" in line for line in said)


def test_a_server_that_is_read_only(
    run: Run, prepare: Callable[[], None], files: Path, server: MariaServer, url: str
) -> None:
    prepare()

    @contextmanager
    def read_only() -> Iterator[None]:
        server.tell("SET GLOBAL read_only = 1")
        yield
        server.tell("SET GLOBAL read_only = 0")

    said = check(run, files, url, read_only)
    assert all("is read-only at the moment" in line for line in said), said
