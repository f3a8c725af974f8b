"""Fixtures that several packages' tests share: homes, databases, caches, a real X server, drawn faces."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings as hypothesis_settings

from db.database import Database, make_database, open_database
from db.face_cache import FaceCache, open_cache
from db.settings import Settings
from tests.mariadb_server import MariaServer, PortTakenError

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


# The same examples in every run, however slow the machine is; HYPOTHESIS_PROFILE=default tries others.
hypothesis_settings.register_profile("gridroll", deadline=None, derandomize=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gridroll"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--complete", action="store_true", help="fail, not skip, where a program is missing; 'make test' does"
    )
    parser.addoption("--kills", type=int, default=200, help="how often the crash tests kill something")
    parser.addoption("--kill-seed", type=int, help="repeats the moments of a crash test that failed")


def pytest_configure() -> None:
    # Started in the background by a script, a program ignores Ctrl-C, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def require(config: pytest.Config, program: str) -> None:
    """Skip the test, or fail it under --complete, where the machine lacks a program that `make test` installs."""
    if shutil.which(program) is None:
        lacking = pytest.fail if config.getoption("complete") else pytest.skip
        lacking(f"{program} is not installed; 'make test' installs it")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the configuration, the credentials or the display of whoever runs it."""
    for name in list(os.environ):
        if name.startswith(("GRIDROLL_", "AWS_")) and name != "GRIDROLL_FACES":
            monkeypatch.delenv(name)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path / "home"))
    # Two more processes for each portal that a test starts; tests/portal/test_workers.py is about them.
    monkeypatch.setenv("GRIDROLL_PORTAL_WORKERS", "0")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    return Settings(home=home)


@pytest.fixture(scope="session")
def start_mariadb(pytestconfig: pytest.Config) -> Iterator[Callable[..., MariaServer]]:
    """Starts a MariaDB with the options given, see `MariaServer`; all are stopped after the last test."""
    os.environ["PATH"] += ":/usr/sbin"  # where Debian keeps it; not on a plain user's path
    require(pytestconfig, "mariadbd")
    servers: list[MariaServer] = []
    # Not under pytest's folders: a socket's path has at most 107 characters. Making tables waits for the disk, again and
    # again; in memory it takes a tenth of the time, and what is there survives a killed server just as well.
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    with TemporaryDirectory(prefix="gr-maria-", dir=memory if roomy else "/tmp") as name:

        def start(*options: str, durable: bool = False) -> MariaServer:
            server = MariaServer(Path(name) / str(len(servers)), free_port(), *options, durable=durable)
            servers.append(server)
            try:
                server.start()
            except PortTakenError:
                return start(*options, durable=durable)
            return server

        try:
            yield start
        finally:
            for server in servers:
                server.stop()


@pytest.fixture(scope="session")
def mariadb(start_mariadb: Callable[..., MariaServer]) -> MariaServer:
    """A real MariaDB that the tests share."""
    # Durability is what a crash test is about, and this server's tests are not: its data is thrown away.
    return start_mariadb()


@pytest.fixture(scope="session")
def mariadb_url(mariadb: MariaServer) -> str:
    """Its address, without a database's name at the end."""
    return mariadb.url


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database: a SQLite file, then one on a real MariaDB."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    server: MariaServer = request.getfixturevalue("mariadb")
    name = f"test_{os.urandom(6).hex()}"
    yield server.make(name)
    server.tell(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger to copy: migrating one for every test would take most of their time."""
    path = tmp_path_factory.mktemp("ledger") / "gridroll.sqlite"
    make_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def new_tables(mariadb: MariaServer) -> list[str]:
    """The statements that make an empty ledger, in the database in use, like the one that was migrated."""
    make_database(mariadb.make("migrated")).close()
    return mariadb.copying("migrated")


@pytest.fixture
def database(database_url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database, once on SQLite and once on a real MariaDB."""
    if database_url.startswith("sqlite"):
        shutil.copy(request.getfixturevalue("new_ledger"), database_url.removeprefix("sqlite:///"))
    else:
        name = database_url.rpartition("/")[2]
        server: MariaServer = request.getfixturevalue("mariadb")
        server.tell(f"USE {name}", *request.getfixturevalue("new_tables"))
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture
def sqlite_database(settings: Settings, new_ledger: Path) -> Iterator[Database]:
    """The embedded default, for tests that are not about databases."""
    shutil.copy(new_ledger, settings.home / "gridroll.sqlite")
    database = open_database(settings.resolved_database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def cache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running nx-27017's address, shared by the tests."""
    cache = open_cache("", tmp_path_factory.mktemp("cache"))
    yield cache.url
    cache.close()


@pytest.fixture
def cache(cache_server: str) -> Iterator[FaceCache]:
    """An empty face cache on a real MongoDB-protocol server."""
    # On a machine that is busy with other tests, the server may need longer than anybody in class waits.
    url = f"{cache_server}/?timeoutMS=30000&serverSelectionTimeoutMS=30000"
    with closing(FaceCache(url, database=f"test_{os.urandom(6).hex()}")) as cache:
        cache.prepare()
        yield cache


@pytest.fixture(scope="session")
def x_display(pytestconfig: pytest.Config) -> Iterator[str]:
    """A real X server of 1280×800 pixels."""
    require(pytestconfig, "Xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(timeout=20)


@pytest.fixture(scope="session")
def real_faces() -> Path:
    """The folder of photographs for tests, which are never part of the product."""
    folder = Path(os.environ.get("GRIDROLL_FACES", Path(__file__).parents[2] / "shared" / "faces"))
    if not (folder / "people").is_dir():
        pytest.skip(f"no photographs at {folder}; set GRIDROLL_FACES")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
