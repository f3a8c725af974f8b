"""An agent without database and without engine hands its looks in to a portal, which is killed meanwhile."""

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import cv2
import pytest

from db.accounts import add_user
from db.database import open_database
from db.ledger import catch_up
from db.people import find_course
from db.report import session_report
from db.tokens import add_token
from demo.script import LESSON
from portal.bearer import hash_token, new_token
from portal.report_files import as_json
from tests.conftest import free_port
from tests.e2e.conftest import Gridroll

SECONDS, SIZE = 45, (960, 540)
START = "2026-11-20T09:00:00+01:00"
WATCH = ("--every", "4-10", "--seed", "3")


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 1.0, SIZE)
    for second in range(SECONDS):
        writer.write(cv2.resize(LESSON.draw(float(second)), SIZE, interpolation=cv2.INTER_AREA))
    writer.release()
    return path


def school(home: Path, classroom: Path) -> Gridroll:
    shutil.copytree(classroom / "home", home)
    gridroll = Gridroll(home)
    gridroll.ok("session", "start", "BIO", "--starts-at", START, "--minutes", "2")
    return gridroll


def serve(gridroll: Gridroll, port: int) -> "tuple[subprocess.Popen[str], str]":
    portal = gridroll.start("serve", "--port", str(port))
    assert portal.stdout is not None
    found = re.search(r"http://\S+", portal.stdout.readline())
    assert found is not None
    return portal, found[0]


def token_file(home: Path, folder: Path) -> Path:
    database = open_database(f"sqlite:///{home / 'gridroll.sqlite'}")
    token = new_token()
    with database.writing() as writing:
        user = add_user(writing, "ines@example.edu", "staff", "x")
        add_token(writing, "Room 7", hash_token(token), ["observations"], user, find_course(writing, "BIO"))
    database.close()
    path = folder / "token"
    path.write_text(f"{token}\n")
    return path


def told(gridroll: Gridroll) -> dict[str, Any]:
    database = open_database(f"sqlite:///{gridroll.home / 'gridroll.sqlite'}")
    catch_up(database, 1)
    with database.reading() as reading:
        report = as_json(session_report(reading, 1))
    database.close()
    return report


def test_the_ledger_of_a_remote_agent_is_that_of_one_on_the_machine_though_the_portal_is_killed(
    recording: Path, classroom: Path, tmp_path: Path
) -> None:
    here = school(tmp_path / "here", classroom)
    there = Gridroll(tmp_path / "there")
    shutil.copytree(here.home, there.home)
    here.ok("watch", "--session", "1", "--source", str(recording), *WATCH)
    file, port = token_file(there.home, tmp_path), free_port()
    portal, url = serve(there, port)
    agent = Gridroll(tmp_path / "agent")
    remote = ("--portal", url, "--token-file", str(file))
    watching = agent.start("watch", "--session", "1", "--source", str(recording), *WATCH, *remote)
    assert watching.stdout is not None
    assert "heads" in watching.stdout.readline()
    portal.send_signal(signal.SIGKILL)
    portal.communicate()
    portal, _ = serve(there, port)
    try:
        _, said = watching.communicate(timeout=180)
        assert watching.returncode == 0, said
    finally:
        portal.terminate()
        portal.communicate(timeout=60)
    first, second = told(here), told(there)
    # What was sent as a JPEG file is as like its owner as what was not, but for a little.
    for report in (first, second):
        for student in report["students"]:
            del student["confidence"]
        for look in report["looks"]:
            del look["searches"], look["trigger"]
    assert second["students"] == first["students"]
    assert [look["headcount"] for look in second["looks"]] == [look["headcount"] for look in first["looks"]]
    assert not (tmp_path / "agent" / "gridroll.sqlite").exists()
