"""Still pictures and loops among live people, through the codecs that a meeting and its recording go through."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from bench.camera import camera_picture, choose_framing
from bench.people import Subject
from demo.cast import CAST, portrait
from recognizer.observation import Box, Image, SeenFace
from screen_agent.frames import Frame
from screen_agent.headcount import Head
from screen_agent.settle import Settled
from screen_agent.stillness import GRID, LOOP, STILL_PICTURE, Stillness, _cells
from tests.conftest import START

WIDTH, HEIGHT, GAP = 352, 198, 10
PEOPLE = [Subject(one.student_no, None, (portrait(one),), 0.5) for one in CAST[:4]]
MOMENTS = [20.0 + 37.0 * index for index in range(14)]
Codec = Callable[[Sequence[Image]], list[Image]]
Show = Callable[[int, float], float]
"""The moment of its own that a seat's camera shows at a moment; NaN for a still picture."""


def live(seat: int, at_s: float) -> float:
    return at_s


def one_still(seat: int, at_s: float) -> float:
    return float("nan") if seat == 1 else at_s


def one_loops(seat: int, at_s: float) -> float:
    return at_s % 8 if seat == 1 else at_s


def tile(seat: int, right: int = 0) -> Box:
    left, top = GAP + (seat % 2) * (WIDTH + GAP) + right, GAP + (seat // 2) * (HEIGHT + GAP)
    return left, top, left + WIDTH, top + HEIGHT


def window(show: Show, at_s: float, right: int = 0, seats: int = 4) -> Image:
    picture = np.full((2 * HEIGHT + 4 * GAP, 2 * WIDTH + 8 * GAP, 3), 30, np.uint8)
    for seat in range(seats):
        x1, y1, x2, y2 = tile(seat, right)
        framing, person = choose_framing(seat + 3), PEOPLE[seat]
        moment = show(seat, at_s)
        picture[y1:y2, x1:x2] = camera_picture(person, 0, framing, moment, WIDTH, HEIGHT, person)
    return picture


def face(seat: int, right: int = 0, jitter: int = 0) -> SeenFace:
    x1, y1, x2, y2 = tile(seat, right)
    middle_x, middle_y = (x1 + x2) // 2 + jitter, (y1 + y2) // 2
    return SeenFace(
        f"seat-{seat}",
        (x1 - jitter, y1, x2, y2 + jitter),
        (middle_x - 40, middle_y - 40, middle_x + 40, middle_y + 40),
    )


def cues(
    frames: Sequence[Image], jitter: bool = False, seats: int = 4, right: Sequence[int] | None = None
) -> dict[str, str]:
    """Every cue given over looks of two frames each."""
    stillness, random, found = Stillness(), Random(1), dict[str, str]()
    for number, at_s in enumerate(MOMENTS[: len(frames) // 2]):
        first, last = (
            Frame(frames[2 * number + index], START + timedelta(seconds=at_s + 0.4 * index))
            for index in (0, 1)
        )
        faces = [
            face(seat, right[number] if right else 0, random.choice([0, 1]) if jitter else 0)
            for seat in range(seats)
        ]
        heads = tuple(Head(one.tile_xyxy, one.box_xyxy) for one in faces)
        settled = Settled(last, first.taken_at, tuple(one.tile_xyxy for one in faces), heads, first)
        found |= stillness.cues(settled, faces)
    return found


def shown(show: Show, right: Sequence[int] | None = None, seats: int = 4) -> list[Image]:
    places = right or [0] * len(MOMENTS)
    return [
        window(show, at_s + delay, place, seats)
        for at_s, place in zip(MOMENTS, places, strict=True)
        for delay in (0.0, 0.4)
    ]


def as_seen(frames: Sequence[Image]) -> list[Image]:
    return list(frames)


def jpeg(worst: int, best: int) -> Codec:
    def code(frames: Sequence[Image]) -> list[Image]:
        random = Random(5)
        files = [
            cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, random.randint(worst, best)])
            for one in frames
        ]
        return [np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8) for _, file in files]

    return code


@pytest.fixture
def video(tmp_path: Path) -> Callable[[str], Codec]:
    def by_name(name: str) -> Codec:
        def code(frames: Sequence[Image]) -> list[Image]:
            path = tmp_path / ("film.webm" if name.startswith("VP") else "film.avi")
            height, width = frames[0].shape[:2]
            writer = cv2.VideoWriter(
                str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*name), 10, (width, height)
            )
            assert writer.isOpened(), f"this OpenCV writes no {name}, which the pinned one does"
            for frame in frames:
                writer.write(frame)
            writer.release()
            reader, decoded = cv2.VideoCapture(str(path)), []
            while (answer := reader.read())[0]:
                decoded.append(np.asarray(answer[1], np.uint8))
            reader.release()
            assert len(decoded) == len(frames)
            return decoded

        return code

    return by_name


JPEGS = pytest.mark.parametrize(
    "codec", [as_seen, jpeg(70, 90), jpeg(90, 95), jpeg(50, 70)], ids=["none", "70-90", "90-95", "50-70"]
)
VIDEOS = pytest.mark.parametrize("name", ["mp4v", "MJPG", "VP80"])


@JPEGS
def test_the_one_still_picture_among_live_people_is_noticed(codec: Codec) -> None:
    assert cues(codec(shown(one_still))) == {"seat-1": STILL_PICTURE}


@VIDEOS
def test_a_still_picture_is_noticed_through_a_video_codec(name: str, video: Callable[[str], Codec]) -> None:
    assert cues(video(name)(shown(one_still))) == {"seat-1": STILL_PICTURE}


@JPEGS
def test_live_people_give_no_cue(codec: Codec) -> None:
    assert cues(codec(shown(live))) == {}


@VIDEOS
def test_live_people_give_no_cue_through_a_video_codec(name: str, video: Callable[[str], Codec]) -> None:
    assert cues(video(name)(shown(live))) == {}


@pytest.mark.parametrize("codec", [as_seen, jpeg(70, 90)], ids=["none", "70-90"])
def test_a_short_film_that_repeats_itself_is_noticed(codec: Codec) -> None:
    assert cues(codec(shown(one_loops))) == {"seat-1": LOOP}


@pytest.mark.parametrize("cut", [1, 3, 300])
def test_a_window_made_smaller_stops_nothing(cut: int) -> None:
    frames = shown(live)
    smaller = [frame[:-cut, :-cut] for frame in frames]
    cues([*frames[:2], frames[2], smaller[3], *smaller[4:]])


def test_tiles_found_a_pixel_elsewhere_at_each_look_hide_no_still_picture() -> None:
    assert cues(jpeg(70, 90)(shown(one_still)), jitter=True) == {"seat-1": STILL_PICTURE}


def test_a_still_picture_that_moves_with_its_tile_is_one_all_the_same() -> None:
    right = [0] * 4 + [7] * 3 + [23] * 7
    assert cues(jpeg(70, 90)(shown(one_still, right)), right=right) == {"seat-1": STILL_PICTURE}


def test_a_few_looks_are_too_few_for_a_cue() -> None:
    assert cues(shown(one_still)[:10]) == {}


def test_a_frozen_window_is_no_class_of_pictures() -> None:
    assert cues(shown(lambda seat, at_s: float("nan"))) == {}


def test_a_picture_alone_in_the_meeting_is_noticed() -> None:
    assert cues(shown(lambda seat, at_s: float("nan"), seats=1), seats=1) == {"seat-0": STILL_PICTURE}


@pytest.mark.parametrize("width", [20, 64, 101, 352])
@pytest.mark.parametrize("height", [20, 63, 198])
def test_cells_are_means_over_equal_areas(width: int, height: int) -> None:
    image = np.random.default_rng(width).integers(0, 256, (height + 9, width + 5, 3), np.uint8)
    shown = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[9:, 5:].astype(np.float32)
    expected = cv2.resize(shown, (GRID, GRID), interpolation=cv2.INTER_AREA).ravel()
    found = _cells(image, (5, 9, width + 5, height + 9))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)
