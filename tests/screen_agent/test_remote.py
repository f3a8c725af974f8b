"""Looks reach a portal in order, each once, whatever happens to the network, the portal or the agent."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
from recognizer.wire import observation_json, receipt_json
from screen_agent import remote
from screen_agent.errors import AgentError
from screen_agent.outbox import Outbox
from screen_agent.remote import Portal, PortalAwayError, RemoteSink, read_token
from tests.conftest import START, free_port

ROOT = Path(__file__).parents[2]
CROP = FaceCrop(np.full((60, 60, 3), 127, np.uint8), (10, 10, 50, 50))


@dataclass
class Desk:
    """A portal as an agent sees it. `answers`: statuses to give before it takes looks again.

    `foreign`: what somebody else on the way answers in its place, as a page.
    """

    url: str = ""
    taken: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    foreign: int = 0
    hold: threading.Event | None = None
    asked: Callable[[], None] = lambda: None


@pytest.fixture
def desk() -> Iterator[Desk]:
    found = Desk()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told = {"title": "Limits", "starts_at": "2026-11-20T09:00:00Z", "ends_at": "2026-11-20T09:45:00Z"}
            self.answer(found.answers.pop(0) if found.answers else 200, told)

        def do_POST(self) -> None:
            look = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.tokens.add(self.headers["Authorization"])
            found.asked()
            if found.hold is not None:
                found.hold.wait(20)
                self.close_connection = True
                return
            if found.foreign:
                self.answer(found.foreign, None)
                return
            status = 422 if look["uid"] in found.refused else found.answers.pop(0) if found.answers else 200
            if status == 200:
                found.taken.append(look["uid"])
            names = {face["track"]: "Ann" for face in look["faces"]}
            receipt = Receipt(look["uid"], look["headcount"], 1, 0, names)
            self.answer(status, receipt_json(receipt) if status == 200 else {"detail": "no such thing"})

        def answer(self, status: int, told: Any) -> None:
            body = json.dumps(told).encode()
            kind = "application/json" if status == 200 else "application/problem+json"
            if found.foreign:
                body, kind, status = b"<h1>Welcome to the guest network</h1>", "text/html", found.foreign
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join(10)
    server.server_close()


class Clock:
    """Passes by sleeping."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, pause_s: float) -> None:
        self.now += pause_s


@dataclass
class Agent:
    sink: RemoteSink
    outbox: Outbox
    clock: Clock
    told: list[str]


Starts = Callable[..., Agent]


@pytest.fixture
def start(desk: Desk, tmp_path: Path) -> Iterator[Starts]:
    """Starts an agent for session 7 (or another) at the desk, on the disk of the test."""
    agents = []

    def begin(url: str = "", session_id: int = 7) -> Agent:
        clock, told = Clock(), list[str]()
        portal = Portal(url or desk.url, "grl_of_room_7")
        outbox = Outbox(tmp_path / "outbox.sqlite", portal.url, session_id)
        agent = Agent(
            RemoteSink(portal, session_id, outbox, told.append, clock, clock.sleep), outbox, clock, told
        )
        agents.append(agent)
        return agent

    yield begin
    for agent in agents:
        agent.sink.close()


def look(number: int) -> Observation:
    at = START + timedelta(seconds=number)
    face = SeenFace("t", (0, 0, 99, 99), (10, 10, 50, 50), CROP)
    return Observation(f"u{number}", 7, at, at, "headcount", 1, (face,))


def test_a_look_is_taken_and_its_receipt_is_the_portals(start: Starts, desk: Desk) -> None:
    agent = start()
    receipt = agent.sink.send(look(1))
    assert (receipt.names, receipt.searches, receipt.wanted) == ({"t": "Ann"}, 1, frozenset())
    assert desk.taken == ["u1"]
    assert desk.tokens == {"Bearer grl_of_room_7"}
    assert agent.outbox.count() == 0


def test_while_the_portal_is_away_looks_are_kept_and_faces_asked_for_again(start: Starts, desk: Desk) -> None:
    agent = start()
    agent.sink.send(look(1))
    desk.answers = [503]
    receipt = agent.sink.send(look(2))
    assert (receipt.names, receipt.searches, receipt.wanted) == ({"t": "Ann"}, 0, frozenset({"t"}))
    agent.sink.send(look(3))  # too early to try again
    assert (desk.taken, agent.outbox.count()) == (["u1"], 2)
    agent.clock.now += 1
    agent.sink.send(look(4))
    assert desk.taken == ["u1", "u2", "u3", "u4"]
    assert [line.partition(";")[0] for line in agent.told] == [
        "127.0.0.1 answered 503: no such thing",
        "the portal is back",
    ]


def test_the_agent_waits_longer_and_longer_for_a_portal_that_is_away(start: Starts) -> None:
    agent = start(f"http://127.0.0.1:{free_port()}")
    agent.sink.send(look(1))
    assert agent.sink.flush(600) == 1
    assert 600 <= agent.clock.now < 660
    assert len(agent.told) == 1


def test_what_is_left_is_handed_in_by_the_next_agent_of_that_session(start: Starts, desk: Desk) -> None:
    desk.answers = [503]
    first = start()
    for number in range(1, 4):
        first.sink.send(look(number))
    first.sink.close()
    assert start(session_id=8).sink.flush() == 0
    assert desk.taken == []
    assert start().sink.flush() == 0
    assert desk.taken == ["u1", "u2", "u3"]


def test_a_look_that_is_refused_is_set_aside_and_keeps_no_other_back(start: Starts, desk: Desk) -> None:
    desk.refused = {"u1"}
    agent = start()
    receipt = agent.sink.send(look(1))
    assert receipt.wanted == {"t"}
    agent.sink.send(look(2))
    agent.sink.send(look(1))  # a recording watched again
    assert desk.taken == ["u2"]
    assert agent.outbox.count() == 0
    assert agent.told == ["look u1 was refused and is set aside: 422, no such thing"]


def test_looking_waits_a_moment_only_for_a_portal_that_hangs(
    start: Starts, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LOOK_S", 0.3)
    monkeypatch.setattr(remote, "LEAST_S", 0.1)
    desk.hold = threading.Event()
    agent = start()
    began_s = time.monotonic()
    assert agent.sink.send(look(1)).wanted == {"t"}
    assert time.monotonic() - began_s < 5
    desk.hold.set()
    desk.hold = None
    assert agent.sink.flush() == 0
    assert desk.taken == ["u1"]


def test_what_waits_is_handed_in_a_few_at_each_look_and_the_rest_at_the_end(
    start: Starts, desk: Desk
) -> None:
    desk.answers = [503]
    agent = start()
    agent.sink.send(look(1))
    for number in range(2, 30):
        agent.outbox.put(f"u{number}", observation_json(look(number)))
    agent.clock.now += 1
    desk.asked = lambda: agent.clock.sleep(1)
    before_s = agent.clock.now
    assert agent.sink.send(look(30)).wanted == {"t"}
    assert agent.clock.now - before_s <= remote.LOOK_S
    assert 1 < len(desk.taken) < 10
    agent.sink.send(look(31))
    assert len(desk.taken) < 20
    assert agent.sink.flush(10) > 0  # nor is the end kept waiting for longer than it was said
    assert agent.sink.flush() == 0
    assert desk.taken == [f"u{number}" for number in range(1, 32)]


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 413, 422])
def test_what_somebody_else_on_the_way_answers_counts_as_the_portal_being_away(
    start: Starts, desk: Desk, status: int
) -> None:
    agent = start()
    desk.foreign = status
    assert agent.sink.send(look(1)).wanted == {"t"}
    assert agent.outbox.count() == 1
    desk.foreign = 0
    assert agent.sink.flush() == 0
    assert desk.taken == ["u1"]
    assert len(agent.told) == 2
    assert agent.told[0].endswith("; looks are kept on this machine until it is back")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_opens_nothing_ends_the_watch_with_one_line(
    start: Starts, desk: Desk, status: int
) -> None:
    desk.answers = [status]
    agent = start()
    with pytest.raises(AgentError, match="does not take the token") as caught:
        agent.sink.send(look(1))
    assert not isinstance(caught.value, PortalAwayError)
    assert "\n" not in str(caught.value)
    assert agent.outbox.count() == 1


KILLED = """
import sys
from pathlib import Path
from screen_agent.outbox import Outbox

outbox = Outbox(Path(sys.argv[1]), sys.argv[2], 7)
for number in range(1000):
    outbox.put(f"u{number}", {"uid": f"u{number}", "headcount": 0, "faces": []})
    print(number, flush=True)
"""


def test_looks_that_were_kept_survive_a_kill(start: Starts, desk: Desk, tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "outbox.sqlite"), desk.url],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert program.stdout is not None
    kept = [int(program.stdout.readline()) for _ in range(20)][-1]
    program.send_signal(signal.SIGKILL)
    program.communicate()
    agent = start()
    assert agent.sink.flush() == 0
    assert desk.taken[: kept + 1] == [f"u{number}" for number in range(kept + 1)]


def test_a_session_is_known_while_the_portal_is_away(start: Starts, desk: Desk) -> None:
    agent = start()
    portal = Portal(desk.url, "grl_x")
    desk.answers = [503]
    with pytest.raises(PortalAwayError):
        portal.session(7, agent.outbox)
    assert portal.session(7, agent.outbox).title == "Limits"
    desk.answers = [503]
    assert portal.session(7, agent.outbox).ends_at - START == timedelta(minutes=45)
    for status in (200, 404):
        desk.foreign = status
        assert portal.session(7, agent.outbox).title == "Limits"
    desk.foreign = 0
    desk.answers = [404]
    with pytest.raises(AgentError, match="no session 7 for this token"):
        portal.session(7, agent.outbox)
    portal.close()


@pytest.mark.parametrize("url", ["gridroll.example.edu", "ftp://x", "http://", "https://x/?a=b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(AgentError, match="no address of a portal"):
        Portal(url, "grl_x")


@pytest.mark.parametrize("content", ["", "password\n", "grl_\u00e4\n", "\n\n"])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(AgentError, match="holds no token"):
        read_token(path)
    with pytest.raises(AgentError, match="cannot read"):
        read_token(tmp_path / "absent")


def test_an_outbox_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a database, but long enough to be looked at" * 100)
    for path in (tmp_path / "file", tmp_path / "file" / "outbox.sqlite"):
        with pytest.raises(AgentError, match="cannot be kept"):
            Outbox(path, "http://x", 1)
