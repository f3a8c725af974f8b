"""A MariaDB that is durable, a class to watch, and how an undisturbed run of it ends."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from db.face_cache import open_cache
from tests.e2e.crash.nursery import Nursery
from tests.e2e.crash.school import Lesson, School, draw_lesson, watch_undisturbed, write_class
from tests.mariadb_server import MariaServer

# Started in a tenth of a second: the defaults are for larger machines.
SMALL = (
    *("--innodb-buffer-pool-size=16M", "--key-buffer-size=64K", "--aria-pagecache-buffer-size=1M"),
    *("--performance-schema=0", "--innodb-buffer-pool-dump-at-shutdown=0"),
    "--innodb-buffer-pool-load-at-startup=0",
)


@pytest.fixture(scope="session")
def kills(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("kills"))


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """Of all moments of a test; printed where it fails."""
    given = pytestconfig.getoption("kill_seed")
    found = int.from_bytes(os.urandom(4)) if given is None else int(given)
    print(f"these moments again: --kill-seed {found}")
    return found


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Lesson:
    """Watched once on a database of its own, which nobody else uses."""
    folder = tmp_path_factory.mktemp("lesson")
    return watch_undisturbed(nursery, folder, draw_lesson(folder / "pictures"), write_class(folder / "class"))


@pytest.fixture(scope="session")
def server(start_mariadb: Callable[..., MariaServer]) -> MariaServer:
    return start_mariadb(*SMALL, durable=True)


@pytest.fixture(scope="session")
def school(server: MariaServer, lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """The class on MariaDB, and a cache server beside it."""
    folder = tmp_path_factory.mktemp("school")
    cache = open_cache("", folder / "cache")
    school = School(folder / "home", lesson.roster, server.make("gridroll"), cache.url)
    yield school
    school.close()
    cache.close()


@pytest.fixture
def embedded(lesson: Lesson, tmp_path: Path) -> Iterator[School]:
    """The class on the embedded defaults."""
    school = School(tmp_path / "school", lesson.roster)
    yield school
    school.close()
