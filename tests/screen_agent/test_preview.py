import io
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from recognizer.observation import Observation, Receipt, SeenFace
from screen_agent.errors import AgentError
from screen_agent.live import LiveStatus
from screen_agent.preview import NAMED, UNNAMED, draw_preview, write_preview
from screen_agent.watcher import LookReport
from tests.conftest import START
from tests.screen_agent.conftest import settled

TILE = (20, 60, 320, 260)
BOXES = ((100, 120, 180, 200), (400, 120, 480, 200))


def look(names: dict[str, str]) -> LookReport:
    image = np.full((300, 640, 3), 60, np.uint8)
    faces = tuple(SeenFace(track, TILE, box) for track, box in zip("ab", BOXES, strict=True))
    observation = Observation("u", 7, START, START, "headcount", 2, faces)
    return LookReport(
        settled(image, *((TILE, box) for box in BOXES)), observation, Receipt("u", 2, 2, 0, names)
    )


def test_known_and_unknown_heads_are_boxed_in_their_colours() -> None:
    drawn = draw_preview(look({"a": "Ann"}))
    assert drawn.shape == (300, 640, 3)
    for box, colour in zip(BOXES, (NAMED, UNNAMED), strict=True):
        assert tuple(int(value) for value in drawn[160, box[0]])[::-1] == colour


def test_the_frame_itself_is_left_alone() -> None:
    report = look({})
    draw_preview(report)
    assert (report.settled.frame.image == 60).all()


def test_the_preview_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "preview.png"
    for names in ({}, {"a": "Ann"}):
        write_preview(path, look(names))
    assert [item.name for item in tmp_path.iterdir()] == ["preview.png"]
    np.testing.assert_array_equal(cv2.imread(str(path)), draw_preview(look({"a": "Ann"})))


def test_a_preview_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="cannot be written"):
        write_preview(tmp_path / "none" / "preview.png", look({}))


def test_the_status_shows_the_last_look_and_hides_the_next() -> None:
    console = Console(record=True, force_terminal=True, width=90, file=io.StringIO())
    with LiveStatus("Biology", None, None, console) as status:
        status.show(look({"a": "Ann"}))
    text = console.export_text()
    for words in ("headcount", "identified", "unknown", "hidden", "every look would be 2"):
        assert words in text


def test_a_recording_has_a_progress_bar() -> None:
    console = Console(record=True, force_terminal=True, width=90, file=io.StringIO())
    with LiveStatus(
        "Biology", START - timedelta(minutes=15), START + timedelta(minutes=45), console
    ) as status:
        status.show(look({}))
    assert "25%" in console.export_text()


def test_without_a_terminal_each_look_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with LiveStatus("Biology", None, None, Console(width=200)) as status:
        status.show(look({"a": "Ann"}))
        status.show(look({"a": "Ann"}))
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 2
    assert "heads 2  identified 1  unknown 1  recognitions 2" in lines[0]
