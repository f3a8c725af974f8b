"""A meeting window's gallery view at a moment of the meeting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo import chrome, webcam
from demo.cast import Person

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

MAX_TILES = 49
_MOST_PER_ROW = 7
_GAP_PX = 8
_ASPECT = 16 / 9


@dataclass(frozen=True, slots=True)
class Seat:
    """One tile: who is in it, what its label says, what its camera shows.

    `still` shows the moment 0 for ever, as somebody does who puts a photograph before the camera;
    `away` shows the room without the person.
    """

    person: Person
    label: str
    camera_on: bool = True
    backdrop_seed: int = 0
    muted: bool = True
    still: bool = False
    away: bool = False


def layout(n: int, size: tuple[int, int] = (1600, 900)) -> list[Box]:
    """Give the boxes (x1, y1, x2, y2) in pixels of `n` tiles in a window of (width, height).

    Of all grids up to seven wide the one with the largest 16:9 tiles; the last row is centred. Raises
    ValueError for more tiles than one page holds, or a window too small for them.
    """
    if not 0 <= n <= MAX_TILES:
        raise ValueError(f"a gallery page holds 0 to {MAX_TILES} tiles, not {n}")
    if n == 0:
        return []
    width, height = size
    room_w = width - 2 * _GAP_PX
    room_h = height - chrome.TOP_BAR_PX - chrome.TOOLBAR_PX - 2 * _GAP_PX
    tile_w, columns = 0, 1
    for candidate in range(1, min(n, _MOST_PER_ROW) + 1):
        lines = -(-n // candidate)
        if lines > _MOST_PER_ROW:
            continue
        across = (room_w - _GAP_PX * (candidate - 1)) / candidate
        down = (room_h - _GAP_PX * (lines - 1)) / lines * _ASPECT
        if int(min(across, down)) > tile_w:
            tile_w, columns = int(min(across, down)), candidate
    tile_h = int(tile_w / _ASPECT)
    if tile_h < 32:
        raise ValueError(f"a window of {width} by {height} is too small for {n} tiles: make it larger")
    rows = -(-n // columns)
    used_h = rows * tile_h + (rows - 1) * _GAP_PX
    top = chrome.TOP_BAR_PX + _GAP_PX + (room_h - used_h) // 2
    boxes: list[Box] = []
    for i in range(n):
        row, column = divmod(i, columns)
        in_row = min(columns, n - row * columns)
        left = (width - in_row * tile_w - (in_row - 1) * _GAP_PX) // 2
        x, y = left + column * (tile_w + _GAP_PX), top + row * (tile_h + _GAP_PX)
        boxes.append((x, y, x + tile_w, y + tile_h))
    return boxes


def draw_gallery(
    seats: Sequence[Seat],
    at_s: float,
    size: tuple[int, int] = (1600, 900),
    speaker: int | None = None,
    title: str = "Online class",
    clock_text: str = "",
) -> Pixels:
    """Draw the window at `at_s` seconds into the meeting: (height, width, 3) BGR uint8, the caller's own.

    `size` is (width, height); `speaker` is an index into `seats`, `None` when nobody speaks. Equal
    arguments give equal pictures.
    """
    width, height = size
    window = chrome.empty_window(width, height, len(seats)).copy()
    window[: chrome.TOP_BAR_PX] = chrome.top_bar(width, title, clock_text)
    for i, (seat, box) in enumerate(zip(seats, layout(len(seats), size), strict=True)):
        x1, y1, x2, y2 = box
        window[y1:y2, x1:x2] = _tile(seat, at_s, x2 - x1, y2 - y1, speaking=i == speaker)
    return window


def _tile(seat: Seat, at_s: float, width: int, height: int, *, speaking: bool) -> Pixels:
    """Draw one tile (height, width, 3)."""
    if seat.camera_on:
        tile = webcam.take(
            seat.person.seed,
            seat.backdrop_seed,
            0.0 if seat.still else at_s,
            width,
            height,
            speaking=speaking,
            away=seat.away,
        )
    else:
        tile = chrome.avatar(seat.label, width, height).copy()
    radius = max(4, height // 22)
    pill = chrome.label(seat.label, height, seat.muted, speaking)
    margin = max(4, height // 40)
    chrome.over(tile, pill[:, : width - 2 * margin], margin, height - pill.shape[0] - margin)
    edges = chrome.frame(width, height, radius, speaking)
    if speaking:
        chrome.over(tile, edges, 0, 0)
    else:
        for x in (0, width - radius):
            for y in (0, height - radius):
                chrome.over(tile, edges[y : y + radius, x : x + radius], x, y)
    return tile
