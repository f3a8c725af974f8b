"""The class on a real screen, and what is done where there is none."""

from datetime import timedelta

import cv2
import numpy as np
import pytest

from demo.classroom import open_stage
from demo.script import LESSON
from demo.stage import DrawnSource, Stage, StageClock, StageError
from tests.conftest import START


def test_what_the_window_shows_is_what_mss_grabs_moment_by_moment() -> None:
    stage, where = open_stage()
    assert stage is not None, where
    assert "seen through mss" in where
    with stage:
        clock = StageClock(START, stage)
        source = stage.source(clock)
        for second in (0.0, 95.5, 1500.0):
            clock.sleep_until(START + timedelta(seconds=second))
            frame = source.grab()
            assert frame.taken_at == START + timedelta(seconds=second)
            assert float(cv2.absdiff(frame.image, LESSON.draw(second)).mean()) < 1.0
        source.close()


def test_a_display_too_small_for_the_window_is_not_trusted(
    x_display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", x_display)  # 1280×800, the window has 1600×900
    stage, where = open_stage()
    assert stage is not None
    assert stage.display != x_display
    assert "virtual display" in where
    stage.close()


def test_without_a_screen_frames_are_drawn_directly_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    stage, where = open_stage()
    assert stage is None
    assert "there is no display and no Xvfb" in where
    assert "fed to the agent directly" in where
    clock = StageClock(START, None)
    clock.sleep_until(START + timedelta(seconds=40))
    frame = DrawnSource(clock).grab()
    np.testing.assert_array_equal(frame.image, LESSON.draw(40.0))


def test_a_display_that_is_none_is_an_error() -> None:
    with pytest.raises(StageError, match="does not open on display :99999"):
        Stage(":99999")
