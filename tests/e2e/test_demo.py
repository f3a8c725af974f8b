"""The main job, end to end: a class is seen on a real screen, counted, identified, stored and reported."""

import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import pytest

from demo.cast import CAST
from demo.script import LESSON
from tests.e2e.conftest import Gridroll, Ran

Demo = tuple[Gridroll, Ran]


@pytest.fixture(scope="session")
def report(demo: Demo) -> Any:
    return json.loads(demo[0].ok("report", "1", "--format", "json"))


def test_the_demo_finds_everything_right_and_says_so_in_one_line(demo: Demo) -> None:
    _, ran = demo
    assert ran.code == 0, f"{ran.out}\n{ran.err}"
    assert "in a real window on the virtual display" in ran.out
    line = re.search(
        r"students right: (\d+) / (\d+) · median join error: ([\d.]+) s · recognitions: (\d+) instead of (\d+)",
        ran.out,
    )
    assert line is not None, ran.out
    right, students, error_s, spent, every_look = (float(part) for part in line.groups())
    assert right == students == len(CAST)
    assert error_s <= 60  # the longest gap between two looks
    assert spent < every_look / 5


def test_every_status_is_the_one_the_script_says(report: Any) -> None:
    found = {student["student_no"]: student["status"] for student in report["students"]}
    assert found == {number: truth.status for number, truth in LESSON.truth.items()}
    assert {"present", "late", "left_early", "absent"} == set(found.values())


def test_every_look_balances_and_the_stranger_is_the_one_unknown(report: Any) -> None:
    assert all(look["identified"] + look["unknown"] == look["headcount"] for look in report["looks"])
    assert {look["unknown"] for look in report["looks"]} == {0, 1}
    assert [review["kind"] for review in report["reviews"]] == ["unknown_face"]


def test_the_swap_at_an_equal_headcount_is_in_the_ledger(report: Any) -> None:
    by_number = {student["student_no"]: student for student in report["students"]}
    start = datetime.fromisoformat(report["session"]["starts_at"])
    gone = datetime.fromisoformat(by_number[CAST[6].student_no]["last_seen_at"])
    came = datetime.fromisoformat(by_number[CAST[7].student_no]["joined_at"])
    assert (gone - start).total_seconds() <= LESSON.swap_s <= (came - start).total_seconds()
    look = next(look for look in report["looks"] if datetime.fromisoformat(look["taken_at"]) == came)
    assert look["trigger"] == "tile"


def test_most_looks_cost_nothing(report: Any) -> None:
    searches = [look["searches"] for look in report["looks"]]
    assert sum(count == 0 for count in searches) > len(searches) / 3
    assert {look["paid"] for look in report["looks"]} == {0}  # the local engine bills nobody


def test_the_preview_and_the_timeline_are_pictures(demo: Demo) -> None:
    gridroll, _ = demo
    preview = cv2.imread(str(gridroll.home / "preview.png"))
    assert preview is not None
    assert preview.shape == (900, 1600, 3)
    timeline = ElementTree.fromstring((gridroll.home / "timeline.svg").read_text())
    assert timeline.tag.endswith("svg")
    words = " ".join(text for text in timeline.itertext())
    assert all(person.name in words for person in CAST)


def test_the_report_is_a_table_a_csv_file_and_a_workbook_too(demo: Demo, tmp_path: Path) -> None:
    gridroll, _ = demo
    table = gridroll.ok("report", "1")
    assert all(person.name in table for person in CAST)
    lines = gridroll.ok("report", "1", "--format", "csv").splitlines()
    assert len(lines) == len(CAST) + 1
    gridroll.ok("report", "1", "--format", "xlsx", "--output", str(tmp_path / "report.xlsx"))
    assert (tmp_path / "report.xlsx").read_bytes()[:2] == b"PK"


def test_the_demo_leaves_nothing_running_and_keeps_its_state_private(demo: Demo) -> None:
    gridroll, _ = demo
    assert gridroll.left_running() == []
    assert gridroll.home.stat().st_mode & 0o077 == 0
    assert (gridroll.home / "gridroll.sqlite").stat().st_mode & 0o077 == 0


def test_reports_evidence_and_proof_are_the_same_after_a_restore(demo: Demo, tmp_path: Path) -> None:
    seen, restored = demo[0], Gridroll(tmp_path / "home")
    archive = str(tmp_path / "demo.tar")
    seen.ok("backup", "--include-keys", archive)
    restored.ok("restore", archive)
    for command in (
        ("report", "1", "--format", "json"),
        ("evidence", "list", "1", "--format", "json"),
        ("faces", "list"),
    ):
        shown = restored.ok(*command)
        assert shown == seen.ok(*command)
        assert len(shown) > 100
    restored.ok("audit", "verify")
    first = shown_crop(seen, restored, tmp_path)
    assert first.startswith(b"\xff\xd8")
    assert restored.left_running() == []


def shown_crop(seen: Gridroll, restored: Gridroll, tmp_path: Path) -> bytes:
    for number, gridroll in enumerate((seen, restored)):
        gridroll.ok("evidence", "show", "1", str(tmp_path / f"{number}.jpg"))
    first, second = (tmp_path / f"{number}.jpg" for number in range(2))
    assert first.read_bytes() == second.read_bytes()
    return first.read_bytes()


def test_faces_are_listed_and_removed_by_command(demo: Demo) -> None:
    gridroll, _ = demo
    listed = gridroll.ok("faces", "list")
    assert all(person.student_no in listed for person in CAST)
    assert "1 faces of S2014 removed" in gridroll.ok("faces", "remove", "S2014")
    assert "S2014" not in gridroll.ok("faces", "list")


def test_every_record_of_the_demo_is_vouched_for_by_its_audit_chain(demo: Demo) -> None:
    gridroll, _ = demo
    assert re.fullmatch(r"\d+ rows, \d+ records, head [0-9a-f]{64}\n", gridroll.ok("audit", "verify"))
    stored = gridroll.ok("audit", "show", "--action", "look.stored", "--format", "json", "--limit", "1000")
    assert len(json.loads(stored)) > 10


def test_a_folder_that_no_demo_made_is_never_emptied(gridroll: Gridroll) -> None:
    precious = gridroll.home / "demo" / "thesis.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    ran = gridroll.run("demo", "--no-serve")
    assert ran.code == 1
    assert "is not empty and no demo made it" in ran.err
    assert precious.read_text() == "years of work"
