import cv2
import numpy as np
import pytest

from demo.gallery import layout
from recognizer.observation import Image
from screen_agent.tiles import find_tiles, overlap
from tests.screen_agent.conftest import gallery


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 9, 12, 16])
def test_every_tile_of_a_gallery_is_found_in_reading_order(count: int) -> None:
    found = find_tiles(gallery(count))
    assert len(found) == count
    assert all(overlap(one, truth) > 0.9 for one, truth in zip(found, layout(count), strict=True))


@pytest.mark.parametrize("quality", [30, 60, 90])
@pytest.mark.parametrize("count", [4, 9, 16])
def test_tiles_are_found_after_compression(count: int, quality: int) -> None:
    _, packed = cv2.imencode(".jpg", gallery(count), [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = find_tiles(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8))
    assert len(found) == count
    assert all(overlap(one, truth) > 0.85 for one, truth in zip(found, layout(count), strict=True))


@pytest.mark.parametrize("background", [16, 128, 250])
def test_tiles_are_found_on_dark_and_on_light_pages(background: int) -> None:
    page: Image = np.full((720, 1280, 3), background, np.uint8)
    random = np.random.default_rng(1)
    boxes = [(x, y, x + 300, y + 170) for y in (60, 250, 440) for x in (40, 360, 680)]
    for x1, y1, x2, y2 in boxes:
        page[y1:y2, x1:x2] = random.integers(0, 255, (y2 - y1, x2 - x1, 3), np.uint8)
    found = find_tiles(page)
    assert len(found) == 9
    assert all(overlap(one, truth) > 0.95 for one, truth in zip(found, boxes, strict=True))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((900, 1600, 3), np.uint8),
        np.full((900, 1600, 3), 255, np.uint8),
        np.random.default_rng(2).integers(0, 255, (900, 1600, 3), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.random.default_rng(3).integers(0, 255, (3, 2000, 3), np.uint8),
    ],
)
def test_a_picture_that_is_no_gallery_has_no_tiles(image: Image) -> None:
    assert len(find_tiles(image)) <= 1


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (2, 2, 4, 4)) == overlap((2, 2, 4, 4), (0, 0, 10, 10)) == 0.04
    for other in ((10, 0, 20, 10), (0, 10, 10, 20), (12, 3, 20, 9), (3, 12, 9, 20), (12, 12, 20, 20)):
        assert overlap((0, 0, 10, 10), other) == overlap(other, (0, 0, 10, 10)) == 0.0
