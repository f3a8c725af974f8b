"""A program elsewhere that is told of events: a real HTTP server on loopback."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import select

from db.database import Database
from db.people import find_course
from db.schema import User
from db.settings import Settings
from db.webhooks import EVENTS, add_webhook
from portal.webhooks.courier import secret_box
from tests.portal.cast import ADMIN, START

SECRET = "whsec_of_the_tests"


@dataclass
class Listener:
    """What it was sent, and what it answers: a status for each message, the last one for all that follow."""

    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None
    slow: str = "/"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append((dict(self.headers), body))
            if found.hold is not None and self.path.startswith(found.slow):
                found.hold.wait(10)
            status = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook?of=gridroll"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    if found.hold is not None:
        found.hold.set()
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_private": True})


Hooks = Callable[..., int]


@pytest.fixture
def hook(database: Database, settings: Settings, listener: Listener, meeting: int) -> Hooks:
    """Makes a webhook to the listener: of all events and courses, if left out; returns its id."""

    def make(*events: str, course: str | None = None, url: str = "") -> int:
        with database.writing() as writing:
            user = writing.scalars(select(User).where(User.email == ADMIN)).one()
            sealed = secret_box(settings).seal(SECRET)
            tied = None if course is None else find_course(writing, course)
            return add_webhook(
                writing, url or listener.url, sealed, events or tuple(EVENTS), user, START, tied
            ).id

    return make
