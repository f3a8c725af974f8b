"""The contract of frame sources: one suite over the real ones, and what is particular to each."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from recognizer.observation import Image
from screen_agent.clock import MediaClock
from screen_agent.errors import EndOfSource, SourceError
from screen_agent.frames import FrameSource
from screen_agent.images import ImagesSource
from screen_agent.screen import ScreenSource
from screen_agent.sources import open_source
from screen_agent.video import VideoSource
from tests.conftest import START

WIDTH, HEIGHT, RATE, SECONDS = 320, 180, 10, 12
GAP = timedelta(seconds=30)


def colour_at(second: int) -> tuple[int, int, int]:
    """A colour of its own for each second, far from its neighbours'."""
    return (20 * second % 250, 255 - 20 * second % 250, 90)


def write_video(path: Path, suffix_codec: str = "mp4v") -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*suffix_codec), RATE, (WIDTH, HEIGHT))
    for frame in range(RATE * SECONDS):
        writer.write(np.full((HEIGHT, WIDTH, 3), colour_at(frame // RATE), np.uint8))
    writer.release()
    return path


def write_pictures(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((HEIGHT, WIDTH, 3), colour_at(index), np.uint8))
    return folder


def mean_colour(image: Image) -> list[int]:
    return [round(float(value)) for value in image.reshape(-1, 3).mean(axis=0)]


@pytest.fixture
def painted_display(x_display: str) -> Iterator[str]:
    """The X server with a window of known colour at 100,50, 400×300 pixels large."""
    program = (
        "import os, sys; os.environ.update(SDL_VIDEODRIVER='x11', SDL_FRAMEBUFFER_ACCELERATION='0',"
        " SDL_VIDEO_WINDOW_POS='100,50', PYGAME_HIDE_SUPPORT_PROMPT='1')\n"
        "import pygame; pygame.display.init(); w = pygame.display.set_mode((400, 300), pygame.NOFRAME)\n"
        "w.fill((200, 100, 50)); pygame.display.flip(); pygame.event.pump(); print('shown', flush=True)\n"
        "sys.stdin.read()"
    )
    window = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"DISPLAY": x_display, "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert window.stdout is not None
    assert window.stdin is not None
    assert window.stdout.readline().strip() == "shown"
    yield x_display
    window.stdin.close()
    window.stdout.close()
    window.wait(timeout=20)


@pytest.fixture(params=["screen", "video", "images"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FrameSource]:
    clock = MediaClock(START)
    opened: FrameSource
    if request.param == "screen":
        opened = ScreenSource(clock, monitor=1, display=request.getfixturevalue("painted_display"))
    elif request.param == "video":
        opened = VideoSource(write_video(tmp_path / "class.mp4"), clock, START)
    else:
        opened = ImagesSource(write_pictures(tmp_path / "pictures", "a.png", "b.png"), clock, START, GAP)
    yield opened
    opened.close()


def test_a_frame_is_a_colour_picture_with_the_moment_it_was_taken(source: FrameSource) -> None:
    frame = source.grab()
    assert frame.image.ndim == 3
    assert frame.image.shape[2] == 3
    assert frame.image.dtype == np.uint8
    assert frame.taken_at == START


def test_a_frame_is_not_changed_by_the_next_one(source: FrameSource) -> None:
    first = source.grab().image
    before = first.copy()
    source.grab()
    np.testing.assert_array_equal(first, before)


# The screen


def test_the_screen_shows_the_pixels_of_a_real_window_in_the_right_colours(painted_display: str) -> None:
    source = ScreenSource(MediaClock(START), monitor=1, display=painted_display)
    image = source.grab().image
    source.close()
    assert image.shape == (800, 1280, 3)
    assert tuple(image[200, 300]) == (50, 100, 200)  # red 200, green 100, blue 50, as blue, green, red
    assert tuple(image[20, 20]) == (0, 0, 0)


def test_a_region_of_the_screen_is_exactly_that(
    painted_display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", painted_display)
    opened = open_source("screen:90,50,400,300", START, GAP)
    image = opened.source.grab().image
    opened.source.close()
    assert image.shape == (300, 400, 3)
    assert tuple(image[0, 9]) == (0, 0, 0)
    assert tuple(image[0, 10]) == (50, 100, 200)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("screen:7", "there is no monitor 7; there is 1 \\(1280×800\\)"),
        ("screen:1200,0,400,300", "does not fit the desktop of 1280×800"),
        ("screen:0,0,0,300", "does not fit"),
        ("screen:left", "is no part of the screen"),
        ("window:Zoom", "not supported by this version"),
        ("camera:0", "not supported by this version"),
        ("rtsp://10.0.0.1/a", "not supported by this version"),
        ("nowhere.mp4", "neither a known kind nor a file"),
    ],
)
def test_a_source_that_is_none_is_refused_with_what_there_is(
    x_display: str, monkeypatch: pytest.MonkeyPatch, spec: str, message: str
) -> None:
    monkeypatch.setenv("DISPLAY", x_display)
    with pytest.raises(SourceError, match=message):
        open_source(spec, START, GAP)


def test_without_a_display_the_error_says_what_to_do() -> None:
    with pytest.raises(SourceError, match="with DISPLAY set"):
        open_source("screen", START, GAP)


# Recordings


@pytest.mark.parametrize("order", [range(SECONDS), [11, 3, 3, 0, 7, 8, 2]])
def test_a_recording_is_seen_at_the_moments_asked_for_in_any_order(tmp_path: Path, order: list[int]) -> None:
    path = write_video(tmp_path / "class.mp4")
    for second in order:
        clock = MediaClock(START + timedelta(seconds=second + 0.5))
        source = VideoSource(path, clock, START)
        seen = mean_colour(source.grab().image)
        source.close()
        assert all(abs(one - other) <= 6 for one, other in zip(seen, colour_at(second), strict=True))


def test_a_recording_is_read_forwards_through_near_and_far_moments(tmp_path: Path) -> None:
    clock = MediaClock(START)
    source = VideoSource(write_video(tmp_path / "class.mp4"), clock, START)
    for moment in (0.0, 0.4, 0.8, 5.1, 5.5, 11.0):
        clock.sleep_until(START + timedelta(seconds=moment))
        seen = mean_colour(source.grab().image)
        assert all(abs(one - other) <= 6 for one, other in zip(seen, colour_at(int(moment)), strict=True)), (
            moment
        )
    clock.sleep_until(START + timedelta(seconds=SECONDS + 1))
    with pytest.raises(EndOfSource):
        source.grab()
    source.close()


def test_a_recording_tells_how_long_it_is(tmp_path: Path) -> None:
    opened = open_source(str(write_video(tmp_path / "class.mp4")), START, GAP)
    assert opened.ends_at == START + timedelta(seconds=SECONDS - 1 / RATE)  # its last frame
    opened.source.close()


@pytest.mark.parametrize("content", [b"", b"this is no video", b"\x00\x00\x00\x20ftypisom" + b"\x00" * 100])
def test_an_unreadable_recording_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"broken\.mp4 cannot be read; give a video such as MP4"):
        open_source(str(path), START, GAP)


def test_a_recording_that_was_cut_off_is_no_crash(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "class.avi", "MJPG")
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    clock = MediaClock(START)
    with pytest.raises((SourceError, EndOfSource)):  # noqa: PT012 - where it ends depends on the container
        source = VideoSource(cut, clock, START)
        for second in range(SECONDS + 1):
            clock.sleep_until(START + timedelta(seconds=second))
            source.grab()


# Pictures


def test_pictures_whose_names_hold_a_time_were_taken_then(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "p", "cam-20261120T091500Z.png", "cam-20261120T090500Z.png")
    source = ImagesSource(folder, MediaClock(START + timedelta(minutes=6)), START, GAP)
    assert source.times == [datetime(2026, 11, 20, 9, minute, tzinfo=UTC) for minute in (5, 15)]
    assert source.grab().taken_at == source.times[0]


def test_other_pictures_lie_apart_by_the_usual_gap(tmp_path: Path) -> None:
    source = ImagesSource(write_pictures(tmp_path / "p", "b.png", "a.png"), MediaClock(START), START, GAP)
    assert source.times == [START, START + GAP]


def test_a_folder_without_pictures_and_a_picture_that_is_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(SourceError, match="no picture in"):
        open_source(str(tmp_path / "p"), START, GAP)
    (tmp_path / "p" / "a.png").write_bytes(b"nonsense")
    opened = open_source(str(tmp_path / "p"), START, GAP)
    with pytest.raises(SourceError, match=r"a\.png is no picture"):
        opened.source.grab()
