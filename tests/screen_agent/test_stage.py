import numpy as np
import pytest

from bench.camera import choose_framing
from bench.meeting import Look, Meeting, Seat, Stay
from bench.people import drawn_folk
from recognizer.cascade import to_gray
from recognizer.observation import Box, Image
from screen_agent import stage
from screen_agent.stage import Stage, _plain
from screen_agent.tiles import find_tiles, overlap
from tests.screen_agent.conftest import gallery


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every search for tiles."""
    searches: list[int] = []

    def counted(image: Image) -> list[Box]:
        searches.append(len(searches))
        return find_tiles(image)

    monkeypatch.setattr(stage, "find_tiles", counted)
    return searches


def test_tiles_are_searched_for_again_only_when_the_gallery_is_laid_out_anew(searched: list[int]) -> None:
    here = Stage()
    for count, searches in [(9, 1), (9, 1), (9, 1), (10, 2), (10, 2), (9, 3)]:
        image = gallery(count)
        assert here.tiles(image, to_gray(image)) == tuple(find_tiles(image))
        assert len(searched) == searches


def test_another_window_size_is_another_gallery() -> None:
    here = Stage()
    large = gallery(9)
    here.tiles(large, to_gray(large))
    small = np.ascontiguousarray(large[: large.shape[0] - 40])
    assert here.tiles(small, to_gray(small)) == tuple(find_tiles(small))


LOOKS = (
    Look(theme=0, gap_px=8, round_px=6, aspect=16 / 9, top_px=40, bottom_px=64, side_px=0),
    Look(theme=3, gap_px=4, round_px=0, aspect=16 / 9, top_px=56, bottom_px=80, side_px=320),
    Look(theme=2, gap_px=12, round_px=10, aspect=4 / 3, top_px=40, bottom_px=80, side_px=0),
)


@pytest.mark.parametrize("columns", range(1, 8))
@pytest.mark.parametrize("look", LOOKS, ids=["dark", "light with a side panel", "black and rounded"])
def test_the_tiles_of_galleries_of_every_size_are_found(columns: int, look: Look) -> None:
    people = drawn_folk().people
    seats = tuple(
        Seat(f"Seat {index}", choose_framing(index), (Stay(people[index % len(people)], 0.0, 999.0),))
        for index in range(columns * columns)
    )
    meeting = Meeting(1, 60.0, columns, (), seats, {}, (), look)
    boxes = find_tiles(meeting.draw(100.0))
    missed = [
        tile.box_xyxy
        for tile in meeting.tiles(100.0)
        if not any(overlap(tile.box_xyxy, box) > 0.8 for box in boxes)
    ]
    assert missed == []
    assert len(boxes) == columns * columns


def test_half_a_tile_too_narrow_to_be_sampled_is_not_plain() -> None:
    sparse = np.full((20, 20), 30, np.uint8)
    assert _plain(sparse, ((8, 8, 24, 24), (5, 5, 7, 7), (8, 8, 14, 24))) == (
        True,
        True,
        False,
        False,
        False,
        True,
    )


def test_the_tiles_are_searched_for_again_where_half_of_one_becomes_background(searched: list[int]) -> None:
    here = Stage()
    image = gallery(9)
    x1, y1, x2, y2 = here.tiles(image, to_gray(image))[4]
    image[y1:y2, (x1 + x2) // 2 - 4 : x2] = image[y1 - 2, x1 + 20]
    here.tiles(image, to_gray(image))
    assert len(searched) == 2
