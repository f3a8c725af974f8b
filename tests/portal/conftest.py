"""The portal on a ledger of its own, and a browser's worth of client."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from werkzeug.test import TestResponse

from db.database import Database, open_database
from db.health import Check, State
from db.mongo import CacheError
from db.settings import Settings
from portal.admin.checkup import Checkup
from portal.admin.office import Office
from portal.app import close_app, create_app, furnish
from tests.portal.cast import PASSWORD, class_of_two


class Browser:
    """A client that fills in forms as people do: with the CSRF token of the page."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, buffered=True)

    def token(self, path: str = "/login") -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found is not None, f"no form on {path}"
        return found[1]

    def plain(self, path: str) -> str:
        """The page without the CSRF token, which is another one each second."""
        return re.sub(r'(name="csrf_token" value=")[^"]+', r"\1", self.get(path).text)

    def sign_in(self, email: str, password: str = PASSWORD, wanted: str | None = None) -> TestResponse:
        form = {"csrf_token": self.token(), "email": email, "password": password}
        return self.client.post("/login", data=form if wanted is None else form | {"next": wanted})

    def sign_out(self, from_page: str) -> TestResponse:
        return self.client.post("/logout", data={"csrf_token": self.token(from_page)})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def database(settings: Settings, new_ledger: Path) -> Iterator[Database]:
    shutil.copy(new_ledger, settings.home / "gridroll.sqlite")
    database = open_database(settings.resolved_database_url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def portal(new_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """A portal to be furnished by each test: to make one takes longer than most tests do."""
    home = tmp_path_factory.mktemp("portal")
    with closing(open_database(f"sqlite:///{new_ledger}")) as database:
        app = create_app(Settings(home=home), database)
        close_app(app)
    return app


@pytest.fixture
def app(portal: Flask, settings: Settings, database: Database) -> Iterator[Flask]:
    """The portal with the test's settings and ledger. What a test adds to it would outlast the test: see `own_app`."""
    config, extensions = dict(portal.config), dict(portal.extensions)
    furnish(portal, settings, database)
    yield _untried(portal)
    close_app(portal)
    portal.config.clear()
    portal.config.update(config)
    portal.extensions = extensions


@pytest.fixture
def own_app(settings: Settings, database: Database, compiled_templates: Path) -> Iterator[Flask]:
    """A portal that the test may add pages to."""
    app = create_app(settings, database)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(compiled_templates))
    yield _untried(app)
    close_app(app)


def _untried(app: Flask) -> Flask:
    # What the real trials find is tested where they are made; here they would load models and start servers.
    office: Office = app.extensions["gridroll_office"]
    office.checkup = Checkup(lambda: [("stub", lambda: [Check("stub", State.WORKS, "nothing was tried")])])
    return app


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be opened when the portal started, and cannot be now."""

    def fail(*_: object) -> None:
        raise CacheError("the face cache cannot be started", "free some memory")

    monkeypatch.setattr("portal.backroom.open_cache", fail)


@pytest.fixture(scope="session")
def held_meeting(new_ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("meeting") / "gridroll.sqlite"
    shutil.copy(new_ledger, path)
    database = open_database(f"sqlite:///{path}")
    meeting = class_of_two(database)
    database.close()
    return path, meeting


@pytest.fixture
def meeting(settings: Settings, database: Database, held_meeting: tuple[Path, int]) -> int:
    """The id of a session of Ada and Ben; the whole cast can sign in."""
    path, meeting = held_meeting
    with (
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(settings.home / "gridroll.sqlite")) as target,
    ):
        source.backup(target)
    return meeting


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app.test_client())
