"""A recording of the simulated class, watched by command."""

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest

from demo.cast import CAST
from demo.script import LESSON
from tests.e2e.conftest import Gridroll

RATE, SECONDS, SIZE = 1.0, 130, (960, 540)
START = "2026-11-20T09:00:00+01:00"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two minutes of the lesson as a small MP4."""
    path = tmp_path_factory.mktemp("recording") / "lesson.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), RATE, SIZE)
    for second in range(int(SECONDS * RATE)):
        writer.write(cv2.resize(LESSON.draw(second / RATE), SIZE, interpolation=cv2.INTER_AREA))
    writer.release()
    return path


def watch(home: Path, classroom: Path, recording: Path, *options: str) -> Any:
    shutil.copytree(classroom / "home", home)
    gridroll = Gridroll(home)
    session = gridroll.ok("session", "start", "BIO", "--starts-at", START, "--minutes", "3").strip()
    gridroll.ok("watch", "--session", session, "--source", str(recording), *options)
    return json.loads(gridroll.ok("report", session, "--format", "json"))


@pytest.fixture(scope="module")
def report(recording: Path, classroom: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("first") / "home"
    return watch(
        home, classroom, recording, "--seed", "3", "--every", "5-15", "--preview", str(home.parent / "p.png")
    )


def test_who_was_in_the_recording_is_in_the_ledger(report: Any) -> None:
    here = {
        sitting.person.student_no
        for place in LESSON.connections
        for sitting in place.sittings
        if sitting.from_s < SECONDS - 20
    }
    assert {student["student_no"] for student in report["students"] if student["joined_at"]} == here


def test_a_recording_starts_when_the_session_did_and_joins_are_stamped_in_its_time(report: Any) -> None:
    assert datetime.fromisoformat(report["session"]["starts_at"]) == datetime.fromisoformat(START)
    joined = next(student for student in report["students"] if student["student_no"] == CAST[10].student_no)
    after = datetime.fromisoformat(joined["joined_at"]) - datetime.fromisoformat(START)
    assert 95 <= after.total_seconds() <= 95 + 16


def test_the_same_seed_gives_the_same_ledger(
    report: Any, recording: Path, classroom: Path, tmp_path: Path
) -> None:
    assert watch(tmp_path / "home", classroom, recording, "--seed", "3", "--every", "5-15") == report


def test_watching_the_same_recording_again_changes_nothing(
    recording: Path, classroom: Path, tmp_path: Path
) -> None:
    first = watch(tmp_path / "home", classroom, recording, "--seed", "4", "--every", "20-40")
    gridroll = Gridroll(tmp_path / "home")
    gridroll.ok("watch", "--session", "1", "--source", str(recording), "--seed", "4", "--every", "20-40")
    assert json.loads(gridroll.ok("report", "1", "--format", "json")) == first


def test_a_folder_of_pictures_is_watched_at_the_times_in_their_names(
    enrolled: Gridroll, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for minute in range(3):
        picture = cv2.resize(LESSON.draw(minute * 60.0), SIZE, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"20261120T080{minute}00Z.png"), picture)
    enrolled.ok("session", "start", "BIO", "--starts-at", START, "--minutes", "3")
    enrolled.ok("watch", "--session", "1", "--source", str(folder))
    looks = json.loads(enrolled.ok("report", "1", "--format", "json"))["looks"]
    taken = [datetime.fromisoformat(look["taken_at"]) for look in looks]
    assert taken == [datetime.fromisoformat(START) + timedelta(minutes=minute) for minute in range(3)]
    assert [look["headcount"] for look in looks] == [len(LESSON.seats(minute * 60.0)) for minute in range(3)]
