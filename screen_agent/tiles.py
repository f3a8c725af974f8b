"""Finds the participants' tiles of a gallery view."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from recognizer.observation import Box, Gray, Image
from recognizer.workers import side_by_side

__all__ = ["find_tiles", "overlap"]

GAP_LENGTH_PX = 41
TOLERANCES = (8, 14)
"""Grey levels by which dithering and by which compression move a plain background."""
BACKGROUNDS = 3
MIN_AREA, MAX_AREA, MIN_FILL = 0.004, 0.95, 0.85
MIN_ASPECT, MAX_ASPECT = 0.6, 2.4
ALIKE = 0.06
OCCUPIED, PLAIN_GAP = 0.04, 0.7
SEVERAL_FILL = 0.08


@dataclass(frozen=True, slots=True)
class _Grid:
    """The size of a gallery's tiles and how far they lie apart, pixels."""

    width: int
    height: int
    across: int
    down: int


def find_tiles(image: Image) -> list[Box]:
    """The tiles, in reading order, as pixels xyxy; empty where the picture is no gallery.

    A gallery has a plain background; what stands out of it as a filled rectangle of a picture's proportions, about as
    large as most others, is a tile. Where those tell the grid, tiles too dark to stand out are found by their place.
    Tool bars are too long, icons too small, and a lone picture on a plain page is taken for a gallery of one.
    """
    ways = [(colour, tolerance) for colour in _backgrounds(image) for tolerance in TOLERANCES]
    found = side_by_side(lambda way: _tiles_on(image, *way), ways)
    best: list[Box] = max(found, key=lambda boxes: _weight(boxes, image), default=[])
    if len(best) == 1 and _spans(best[0], image):
        # Between two bars the whole stage stands out of their colour; the gallery is within it.
        left, top, right, bottom = best[0]
        inner = find_tiles(image[top:bottom, left:right])
        best = [(left + x1, top + y1, left + x2, top + y2) for x1, y1, x2, y2 in inner]
    return _reading_order(best)


def _spans(box: Box, image: Image) -> bool:
    height, width = image.shape[:2]
    return (box[0] <= 2 and box[2] >= width - 2) or (box[1] <= 2 and box[3] >= height - 2)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    # Nearly all boxes compared lie apart, and comparing sides is quicker than calling min and max.
    if one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]:
        return 0.0
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _backgrounds(image: Image) -> list[tuple[int, int, int]]:
    """The commonest plain colours: blue, green, red."""
    few = image[::6, ::6]
    codes = (few >> 2).astype(np.int32) @ np.array([1 << 12, 1 << 6, 1], np.int32)
    every = np.bincount(codes.ravel(), minlength=1 << 18)
    values = np.flatnonzero(every)
    counts = every[values]
    colours: list[tuple[int, int, int]] = []
    for code in values[np.argsort(-counts)[: 8 * BACKGROUNDS]]:
        blue, green, red = (int(value) for value in np.median(few[codes == code], axis=0))
        if all(
            max(abs(blue - one[0]), abs(green - one[1]), abs(red - one[2])) > TOLERANCES[0] for one in colours
        ):
            colours.append((blue, green, red))
        if len(colours) == BACKGROUNDS:
            break
    return colours


def _tiles_on(image: Image, colour: tuple[int, int, int], tolerance: int) -> list[Box]:
    near = np.asarray(
        cv2.inRange(
            image,
            np.array([max(0, value - tolerance) for value in colour]),
            np.array([min(255, value + tolerance) for value in colour]),
        ),
        np.uint8,
    )
    # Compression rings beside edges; along a gap, be it level or upright, most of it still is background.
    share = np.maximum(cv2.blur(near, (GAP_LENGTH_PX, 1)), cv2.blur(near, (1, GAP_LENGTH_PX)))
    along = np.asarray(cv2.threshold(share, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)
    mask = cv2.bitwise_not(along)
    # Opening cuts the thin lines (borders of bars, shadows) that could join two tiles.
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)), np.uint8)
    whole = image.shape[0] * image.shape[1]
    boxes: list[Box] = []
    for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        x, y, w, h = cv2.boundingRect(contour)
        shaped = MIN_AREA * whole <= w * h <= MAX_AREA * whole and MIN_ASPECT <= w / h <= MAX_ASPECT
        if shaped and cv2.contourArea(contour) >= MIN_FILL * w * h:
            boxes.append((x, y, x + w, y + h))
    boxes = _alike(boxes)
    return _completed(boxes, near, along) if len(boxes) > 1 else boxes


def _weight(boxes: Sequence[Box], image: Image) -> tuple[bool, int]:
    """How much speaks for a set of tiles: first that they are several, then how much of the picture they fill."""
    filled = sum(map(_area, boxes))
    return len(boxes) > 1 and filled >= SEVERAL_FILL * image.shape[0] * image.shape[1], filled


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _alike(boxes: Sequence[Box]) -> list[Box]:
    """Those about as wide and high as the largest group of equals."""
    groups = [
        [
            box
            for box in boxes
            if abs((box[2] - box[0]) / (model[2] - model[0]) - 1) <= ALIKE
            and abs((box[3] - box[1]) / (model[3] - model[1]) - 1) <= ALIKE
        ]
        for model in boxes
    ]
    return max(groups, key=lambda group: (sum(map(_area, group)), len(group)), default=[])


def _completed(seeds: Sequence[Box], near: Gray, along: Gray) -> list[Box]:
    """The seeds and, in their rows and in the rows above and below, every further place of the grid that is taken.

    `near`: 255 where the picture has the background's colour, `along`: 255 where most of a line through there has.
    """
    grid = _grid(seeds)
    rows = _rows(seeds, grid)
    tops = sorted(rows)
    # Rows between, above and below those with a seed: laid out like the others, or shifted by half a tile.
    starts = [row[0][0] for row in rows.values()]
    candidates = list(starts) + [start + grid.across // 2 for start in starts]
    levels = {
        tops[0] + step * grid.down for step in range(-(tops[0] // grid.down), near.shape[0] // grid.down + 1)
    }
    found: list[Box] = []
    for level in sorted(levels):
        top = next((held for held in tops if abs(held - level) <= grid.down // 4), None)
        if top is not None:
            found += _row(rows[top], rows[top][0][0], top, grid, near, along)
        else:
            placed = sorted((_row([], start, level, grid, near, along) for start in candidates), key=len)
            found += placed[-1]
    return found


def _grid(seeds: Sequence[Box]) -> _Grid:
    width = round(float(np.median([box[2] - box[0] for box in seeds])))
    height = round(float(np.median([box[3] - box[1] for box in seeds])))
    beside = [
        other[0] - one[0]
        for one in seeds
        for other in seeds
        if abs(one[1] - other[1]) < height // 4 and width <= other[0] - one[0] < 1.5 * width
    ]
    below = [
        other[1] - one[1] for one in seeds for other in seeds if height <= other[1] - one[1] < 1.5 * height
    ]
    gaps = [step - width for step in beside] + [step - height for step in below]
    gap = round(float(np.median(gaps))) if gaps else 8
    across = round(float(np.median(beside))) if beside else width + gap
    down = round(float(np.median(below))) if below else height + gap
    return _Grid(width, height, across, down)


def _rows(seeds: Sequence[Box], grid: _Grid) -> dict[int, list[Box]]:
    """The seeds by the top of their row, each row from left to right."""
    rows: dict[int, list[Box]] = {}
    for box in sorted(seeds, key=lambda box: box[0]):
        top = next((held for held in rows if abs(held - box[1]) <= grid.height // 4), box[1])
        rows.setdefault(top, []).append(box)
    return rows


def _row(held: Sequence[Box], start: int, top: int, grid: _Grid, near: Gray, along: Gray) -> list[Box]:
    """The tiles of one row: what is held, and all taken places a whole number of steps from `start`."""
    boxes = list(held)
    bottom = top + grid.height
    if top < 0 or bottom > near.shape[0]:
        return boxes
    for left in range(start % grid.across, near.shape[1] - grid.width + 1, grid.across):
        place = (left, top, left + grid.width, bottom)
        if all(overlap(place, box) < 0.1 for box in boxes) and _taken(place, grid, near, along):
            boxes.append(place)
    return boxes


def _taken(place: Box, grid: _Grid, near: Gray, along: Gray) -> bool:
    """Whether a tile stands at a place: something in it, background on all four sides of it."""
    x1, y1, x2, y2 = place
    if float(near[y1:y2, x1:x2].mean()) > 255 * (1 - OCCUPIED):
        return False
    beside, below = max(1, (grid.across - grid.width) // 2), max(1, (grid.down - grid.height) // 2)
    height, width = near.shape
    sides = [
        along[y1:y2, max(0, x1 - beside)],
        along[y1:y2, min(width - 1, x2 + beside - 1)],
        along[max(0, y1 - below), x1:x2],
        along[min(height - 1, y2 + below - 1), x1:x2],
    ]
    return all(float(side.mean()) >= 255 * PLAIN_GAP for side in sides)


def _reading_order(boxes: Sequence[Box]) -> list[Box]:
    if not boxes:
        return []
    row_height = max(1, round(float(np.median([box[3] - box[1] for box in boxes]))))
    return sorted(boxes, key=lambda box: (round(box[1] / row_height), box[0]))
