from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import cv2
import numpy as np
import pytest

from bench.camera import avatar
from demo.cast import CAST
from demo.gallery import Seat, draw_gallery
from recognizer.cascade import to_gray
from recognizer.observation import Image
from screen_agent.detectors import HaarDetector, HeadDetector, HogDetector
from screen_agent.drawn import is_drawn
from screen_agent.headcount import Counted, TileHeadcounter
from screen_agent.tiles import find_tiles, overlap
from tests.screen_agent.conftest import gallery


@pytest.mark.parametrize("count", [1, 4, 12])
def test_the_cascade_counts_one_head_per_drawn_participant(count: int) -> None:
    counted = TileHeadcounter().count(gallery(count))
    assert len(counted.heads) == count
    for head in counted.heads:
        (x1, y1, x2, y2), (left, top, right, bottom) = head.box_xyxy, head.tile_xyxy
        assert left <= x1 < x2 <= right
        assert top <= y1 < y2 <= bottom


def test_without_a_gallery_heads_are_counted_in_the_whole_frame() -> None:
    tile = gallery(1)[100:800, 200:1400]  # a webcam picture that fills the frame
    busy = np.random.default_rng(1).integers(90, 110, (760, 1260, 3), np.uint8)
    busy[30:730, 30:1230] = tile
    assert len(TileHeadcounter().count(busy).heads) == 1


def test_nothing_is_counted_on_an_empty_screen() -> None:
    assert TileHeadcounter().count(np.zeros((900, 1600, 3), np.uint8)) == Counted((), ())


def seats(*people: int | None) -> list[Seat]:
    """Members of the cast, all before the same wall; None has the camera off."""
    return [
        Seat(CAST[one or 0], CAST[one or 0].name, backdrop_seed=1, camera_on=one is not None)
        for one in people
    ]


def window(at_s: float, *people: int | None) -> Image:
    return np.asarray(draw_gallery(seats(*people), at_s), np.uint8)


def test_a_look_at_what_was_seen_before_asks_no_detector_again() -> None:
    counter = TileHeadcounter()
    first = counter.count(window(31.0, 0, 1, None, 3))
    searched = counter.searched
    assert searched == 4
    for at_s in (31.4, 31.8, 32.2):
        again = counter.count(window(at_s, 0, 1, None, 3))
        assert len(again.heads) == len(first.heads) == 3
    assert counter.searched == searched


def test_a_head_that_moves_a_little_is_followed_without_a_detector() -> None:
    counter = TileHeadcounter()
    still = window(31.0, 0, 1, 2, 3)
    before = counter.count(still)
    moved = still.copy()
    for left, top, right, bottom in before.tiles:
        moved[top:bottom, left + 9 : right] = still[top:bottom, left : right - 9]
    searched = counter.searched
    after = counter.count(moved)
    assert counter.searched == searched
    assert [
        head.box_xyxy[0] - old.box_xyxy[0] for head, old in zip(after.heads, before.heads, strict=True)
    ] == (pytest.approx([9] * 4, abs=5))


@pytest.mark.parametrize("seat", range(4))
def test_who_leaves_or_turns_the_camera_off_is_counted_no_more(seat: int) -> None:
    counter = TileHeadcounter()
    people: list[int | None] = [0, 1, 2, 3]
    counter.count(window(31.0, *people))
    people[seat] = None
    assert len(counter.count(window(31.4, *people)).heads) == 3
    people[seat] = seat
    assert len(counter.count(window(31.8, *people)).heads) == 4


def test_somebody_else_before_the_same_wall_is_never_taken_for_the_head_that_was_there() -> None:
    for one, other in permutations(range(6), 2):
        counter = TileHeadcounter()
        counter.count(window(31.0, one, 7, 8, 9))
        searched = counter.searched
        counter.count(window(31.4, other, 7, 8, 9))
        assert counter.searched == searched + 1, f"{CAST[other].name} passed for {CAST[one].name}"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("quality", [70, 95])
def test_initials_and_names_of_participants_without_a_camera_are_no_heads(seed: int, quality: int) -> None:
    tile = avatar("Ada Byron", seed, 376, 211)
    _, coded = cv2.imencode(".jpg", tile, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert is_drawn(to_gray(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)))


def test_what_a_camera_sees_is_not_taken_for_a_drawing() -> None:
    image = gallery(16)
    tiles = TileHeadcounter().count(image).tiles
    assert len(tiles) == 16
    assert not any(is_drawn(to_gray(image[y1:y2, x1:x2])) for x1, y1, x2, y2 in tiles)


@pytest.mark.parametrize("detector", [HaarDetector(), HogDetector()], ids=["haar", "hog"])
def test_every_detector_finds_the_one_head_of_a_tile_and_none_in_an_empty_room(
    detector: HeadDetector,
) -> None:
    image = gallery(9)
    counter = TileHeadcounter(detector)
    counted = counter.count(image)
    assert len(counted.heads) == 9
    for head in counted.heads:
        x1, y1, x2, y2 = head.tile_xyxy
        middle = ((x1 + x2) // 2 - 40, (y1 + y2) // 2 - 60, (x1 + x2) // 2 + 40, (y1 + y2) // 2 + 40)
        assert overlap(head.box_xyxy, middle) > 0.1
    room = np.tile(np.linspace(60, 190, 320, dtype=np.uint8), (180, 1))
    assert detector.in_tile(room) is None


@pytest.mark.parametrize("detector", [HaarDetector(), HogDetector()], ids=["haar", "hog"])
def test_a_detector_tells_several_threads_at_once_what_it_tells_one(detector: HeadDetector) -> None:
    gray = to_gray(gallery(9))
    tiles = [gray[y1:y2, x1:x2] for x1, y1, x2, y2 in find_tiles(gallery(9))]
    alone = [detector.in_tile(tile) for tile in tiles]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(detector.in_tile, tiles * 3)) == alone * 3
        others = [type(detector)() for _ in range(6)]
        found = pool.map(lambda place: others[place % 6].in_tile(tiles[place % 9]), range(54))
        assert list(found) == [alone[place % 9] for place in range(54)]


def test_a_picture_that_a_detector_cannot_search_is_no_reason_to_stop_looking() -> None:
    detector = HaarDetector()
    for _ in range(3):  # more often than there are threads, each of which has its own cascades
        with pytest.raises(cv2.error):
            detector.in_tile(np.zeros((90, 160), np.float64))
    assert detector.in_tile(np.zeros((90, 160), np.uint8)) is None
