"""The meeting window must look the same to equal arguments, and show heads where it says they are."""

from __future__ import annotations

import numpy as np
import pytest

from demo.cast import CAST, STRANGER
from demo.casting import Judge, signature
from demo.gallery import MAX_TILES, Seat, draw_gallery, layout

MOMENTS_S = np.random.default_rng(3).uniform(0, 3600, 6)
EVERYBODY = (*CAST, STRANGER)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


def class_of(n: int, **changes: bool) -> list[Seat]:
    return [Seat(EVERYBODY[i % 17], EVERYBODY[i % 17].name, backdrop_seed=i, **changes) for i in range(n)]


@pytest.mark.parametrize("n", range(MAX_TILES + 1))
def test_tiles_are_16_by_9_apart_and_inside_the_window(n: int) -> None:
    boxes = layout(n, (1600, 900))
    assert len(boxes) == n
    covered = np.zeros((900, 1600), bool)
    for x1, y1, x2, y2 in boxes:
        assert 0 <= x1 < x2 <= 1600
        assert 0 <= y1 < y2 <= 900
        assert (x2 - x1) / (y2 - y1) == pytest.approx(16 / 9, rel=0.02)
        assert not covered[y1 : y2 + 4, x1 : x2 + 4].any()
        covered[y1:y2, x1:x2] = True


@pytest.mark.parametrize(
    ("n", "rows", "columns"),
    [(1, 1, 1), (2, 1, 2), (4, 2, 2), (6, 2, 3), (9, 3, 3), (12, 3, 4), (16, 4, 4), (25, 5, 5), (49, 7, 7)],
)
def test_the_grid_reflows_as_people_come(n: int, rows: int, columns: int) -> None:
    boxes = layout(n)
    assert len({y1 for _, y1, _, _ in boxes}) == rows
    assert len({x1 for x1, _, _, _ in boxes}) == columns


def test_the_last_row_is_centred() -> None:
    boxes = layout(5, (1600, 900))
    (left, y1, _, _), (_, y2, right, _) = boxes[3], boxes[4]
    assert y1 == y2
    assert abs(left - (1600 - right)) <= 1


@pytest.mark.parametrize("n", [-1, MAX_TILES + 1])
def test_a_page_refuses_more_tiles_than_it_holds(n: int) -> None:
    with pytest.raises(ValueError, match="0 to 49"):
        layout(n)


def test_a_window_too_small_for_its_tiles_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        layout(49, (320, 200))


def test_the_cascade_finds_one_head_in_every_drawn_tile(judge: Judge) -> None:
    """The largest box is the face, but for one tile in a hundred, where the face has a smaller box."""
    tiles = astray = 0
    for n in (5, 16):
        seats = class_of(n)
        for at_s in MOMENTS_S:
            picture = draw_gallery(seats, float(at_s), speaker=1)
            for seat, (x1, y1, x2, y2) in zip(seats, layout(n), strict=True):
                heads = judge.heads(picture[y1:y2, x1:x2])
                on_face = [is_face(box, x2 - x1, y2 - y1) for box in heads]
                assert any(on_face), (seat.label, at_s)
                tiles += 1
                astray += not on_face[0]
    assert astray <= tiles / 100


def is_face(box: tuple[int, int, int, int], width: int, height: int) -> bool:
    """Say whether a box within a tile is where people sit, and as large as their faces are."""
    left, top, right, bottom = box
    return (
        0.28 < (right - left) / height < 0.58
        and 0.36 < (left + right) / 2 / width < 0.64
        and 0.30 < (top + bottom) / 2 / height < 0.70
    )


def test_the_cascade_finds_nobody_where_cameras_are_off_or_people_away(judge: Judge) -> None:
    for changes in ({"camera_on": False}, {"away": True}):
        seats = class_of(16, **changes)
        picture = draw_gallery(seats, at_s=5.0)
        for x1, y1, x2, y2 in layout(16):
            assert judge.heads(picture[y1:y2, x1:x2]) == []


def test_equal_arguments_give_equal_pictures_and_noise_differs_between_moments() -> None:
    seats = class_of(6)
    first = draw_gallery(seats, 9.0, speaker=2, title="Algebra", clock_text="10:00")
    assert first.shape == (900, 1600, 3)
    assert first.dtype == np.uint8
    again = draw_gallery(seats, 9.0, speaker=2, title="Algebra", clock_text="10:00")
    assert np.array_equal(first, again)
    x1, y1, x2, y2 = layout(6)[0]
    later = draw_gallery(seats, 9.04, speaker=2, title="Algebra", clock_text="10:00")
    assert not np.array_equal(first[y1:y2, x1:x2], later[y1:y2, x1:x2])


def test_a_still_seat_never_changes() -> None:
    seats = class_of(2, still=True)
    assert np.array_equal(draw_gallery(seats, 1.0), draw_gallery(seats, 77.7))


def test_an_empty_meeting_shows_the_window_only() -> None:
    assert draw_gallery([], 0.0, size=(800, 450)).shape == (450, 800, 3)


def test_the_same_person_keeps_their_signature_and_a_swap_changes_it(judge: Judge) -> None:
    """The figure is the mean absolute difference of 16 by 16 normalised grey values."""
    before, after = CAST[6], CAST[7]
    kept: list[float] = []
    swapped: list[float] = []
    looks = {}
    for person in (before, after):
        seats = [Seat(person, person.name, backdrop_seed=6)] * 12
        x1, y1, x2, y2 = layout(12)[0]
        tiles = [draw_gallery(seats, float(t))[y1:y2, x1:x2] for t in MOMENTS_S]
        looks[person] = [signature(tile, judge.heads(tile)[0]) for tile in tiles]
    for i, one in enumerate(looks[before]):
        kept += [float(np.abs(one - other).mean()) for other in looks[before][:i]]
        swapped += [float(np.abs(one - other).mean()) for other in looks[after]]
    assert max(kept) < 0.45
    assert min(swapped) > 0.60
