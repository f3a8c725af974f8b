"""MongoDB is killed under the real commands, and comes back."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.database import open_database
from db.report import session_report
from demo.classroom import CONSENT
from demo.stage import Stage
from tests.e2e.conftest import Gridroll
from tests.outside_mongo import OutsideMongo


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[OutsideMongo]:
    outside = OutsideMongo(tmp_path / "outside")
    outside.start()
    yield outside
    outside.close()


@pytest.fixture
def meeting(enrolled: Gridroll, outside: OutsideMongo) -> Gridroll:
    """A running session of the cast, with an institute's MongoDB."""
    enrolled.environment["GRIDROLL_CACHE_URL"] = outside.url
    assert "16 written" in enrolled.ok("faces", "rebuild")
    enrolled.ok("session", "start", "BIO", "--starts-at", datetime.now(UTC).isoformat())
    return enrolled


def looks(gridroll: Gridroll) -> int:
    database = open_database(f"sqlite:///{gridroll.home / 'gridroll.sqlite'}")
    try:
        with database.reading() as session:
            return len(session_report(session, 1).looks)
    finally:
        database.close()


def test_a_watch_goes_on_without_the_cache_and_says_when_it_is_gone_and_back(
    meeting: Gridroll, outside: OutsideMongo
) -> None:
    with Stage(None) as stage:
        stage.show(0.0)
        meeting.environment["DISPLAY"] = stage.display
        said: list[str] = []
        program = meeting.start(
            "watch", "--session", "1", "--source", "screen:0,0,1600,900", "--every", "1-1"
        )

        assert program.stderr is not None
        hearing = threading.Thread(target=said.extend, args=(program.stderr,))
        hearing.start()

        def wait_for_line(end: str) -> None:
            deadline = time.monotonic() + 60
            while not any(line.endswith(f"{end}\n") for line in said):
                assert program.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.1)

        def wait_for(more: int) -> None:
            wanted, deadline = looks(meeting) + more, time.monotonic() + 60
            while looks(meeting) < wanted:
                assert program.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.1)

        wait_for(1)
        outside.kill()
        wait_for_line("going on without it, slower")
        wait_for(2)
        outside.start()
        wait_for_line("answers again")
        wait_for(2)
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=60) == 0
        hearing.join()
    assert program.stdout is not None
    program.stdout.close()
    program.stderr.close()
    gone, back = (line.rstrip("\n") for line in said)
    assert gone.startswith(f"the face cache at 127.0.0.1:{outside.port} does not answer (")
    assert gone.endswith("); going on without it, slower")
    assert back == f"the face cache at 127.0.0.1:{outside.port} answers again"
    report = json.loads(meeting.ok("report", "1", "--format", "json"))
    assert sum(student["joined_at"] is not None for student in report["students"]) == 10


def test_commands_work_without_the_cache_and_rebuild_brings_it_up_to_date(
    meeting: Gridroll, outside: OutsideMongo, classroom: Path
) -> None:
    outside.kill()
    roster = classroom / "roster.csv"
    first, *others = [line.split(",")[0] for line in roster.read_text().splitlines()[1:]]
    ran = meeting.run("roster", "import", "BIO", str(roster), "--consent", CONSENT)
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert "going on without it, slower" in ran.err
    removed = meeting.run("faces", "remove", first)
    assert removed.code == 1  # what is to be erased is not left behind quietly
    assert removed.err.splitlines()[-1].endswith("; start it again")
    outside.start()
    assert "1 faces of" in meeting.ok("faces", "remove", first)
    count = len(others)
    assert meeting.ok("faces", "rebuild") == (
        f"{count} faces: 0 written, {count} up to date; 0 of nobody removed\n"
    )
