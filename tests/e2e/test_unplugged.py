"""The agent is ended by signals of all kinds; nothing that was stored is lost."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from db.database import open_database
from db.report import session_report
from demo.stage import Stage
from tests.e2e.conftest import Gridroll


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The simulated class, standing still in a real window on a virtual display."""
    with Stage(None) as stage:
        stage.show(0.0)
        yield stage


@pytest.fixture
def watching(enrolled: Gridroll, stage: Stage) -> Gridroll:
    """A running session of the cast, to be watched on the stage's display."""
    enrolled.environment["DISPLAY"] = stage.display
    assert enrolled.ok("session", "start", "BIO", "--starts-at", datetime.now(UTC).isoformat()).strip() == "1"
    return enrolled


def start(gridroll: Gridroll, under: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    arguments = ("watch", "--session", "1", "--source", "screen:0,0,1600,900", "--every", "1-1")
    return gridroll.start(*arguments, under=under)


def looks(gridroll: Gridroll) -> int:
    database = open_database(f"sqlite:///{gridroll.home / 'gridroll.sqlite'}")
    try:
        with database.reading() as session:
            return len(session_report(session, 1).looks)
    finally:
        database.close()


def wait_for_looks(gridroll: Gridroll, count: int, program: "subprocess.Popen[str]") -> int:
    deadline = time.monotonic() + 60
    while (found := looks(gridroll)) < count:
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline, f"{found} looks after a minute"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_watch_cleanly_with_nothing_lost(
    watching: Gridroll, number: signal.Signals
) -> None:
    program = start(watching)
    seen = wait_for_looks(watching, 2, program)
    program.send_signal(number)
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, (out, err)
    assert err == ""
    assert looks(watching) >= seen
    report = json.loads(watching.ok("report", "1", "--format", "json"))
    assert len(report["looks"]) == out.count("heads 10")
    assert watching.left_running() == []


def test_a_watch_under_nohup_outlives_its_terminal(watching: Gridroll) -> None:
    program = start(watching, under=("nohup",))
    seen = wait_for_looks(watching, 1, program)
    program.send_signal(signal.SIGHUP)
    wait_for_looks(watching, seen + 2, program)
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=60)
    assert program.returncode == 0
    assert watching.left_running() == []


def test_a_killed_watch_keeps_every_look_it_reported_and_can_be_started_again(watching: Gridroll) -> None:
    program = start(watching)
    wait_for_looks(watching, 2, program)
    program.kill()
    out, _ = program.communicate(timeout=60)
    kept = looks(watching)
    assert kept >= out.count("heads ")  # what was shown was stored before
    again = start(watching)
    wait_for_looks(watching, kept + 2, again)
    again.send_signal(signal.SIGTERM)
    again.communicate(timeout=60)
    report = json.loads(watching.ok("report", "1", "--format", "json"))
    assert sum(student["joined_at"] is not None for student in report["students"]) == 10
    assert all(look["headcount"] == 10 for look in report["looks"])
    assert watching.left_running() == []
