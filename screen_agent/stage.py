"""Where the tiles are, searched anew only when the surroundings change."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.observation import Box, Gray, Image
from screen_agent.tiles import find_tiles

__all__ = ["Stage"]

STEP = 4
CHANGED_LEVELS, CHANGED_SHARE = 12, 0.001
PLAIN = 1.5
"""Standard deviation in grey levels below which half a tile may be background again."""


class Stage:
    """The tiles of a window from frame to frame. For one thread.

    Tiles come, go and move over the background around them: as long as that looks the same, and no half of a tile has
    become as plain as it, they are where they were.
    """

    def __init__(self) -> None:
        self._tiles: tuple[Box, ...] = ()
        self._sparse: Gray | None = None
        self._around: NDArray[np.bool_] = np.zeros((0, 0), bool)
        self._plain: tuple[bool, ...] = ()

    def tiles(self, image: Image, gray: Gray) -> tuple[Box, ...]:
        """The tiles of a frame in reading order; empty where it is no gallery. `gray` is the frame's luminance."""
        sparse = np.ascontiguousarray(gray[::STEP, ::STEP])
        plain = _plain(sparse, self._tiles)
        if not self._tiles or plain != self._plain or self._changed(sparse):
            self._tiles = tuple(find_tiles(image))
            self._around = np.ones(sparse.shape, bool)
            for x1, y1, x2, y2 in self._tiles:
                self._around[-(-y1 // STEP) : -(-y2 // STEP), -(-x1 // STEP) : -(-x2 // STEP)] = False
            self._sparse = sparse
            self._plain = _plain(sparse, self._tiles)
        return self._tiles

    def _changed(self, sparse: Gray) -> bool:
        if self._sparse is None or self._sparse.shape != sparse.shape:
            return True
        moved = cv2.absdiff(sparse, self._sparse) > CHANGED_LEVELS
        return bool(np.count_nonzero(moved & self._around) > CHANGED_SHARE * np.count_nonzero(self._around))


def _plain(sparse: Gray, tiles: tuple[Box, ...]) -> tuple[bool, ...]:
    """For the left and the right half of each tile, whether it is plain."""
    flags = []
    for x1, y1, x2, y2 in tiles:
        tile = sparse[y1 // STEP : y2 // STEP, x1 // STEP : x2 // STEP]
        middle = tile.shape[1] // 2
        flags += [_spread(half) < PLAIN for half in (tile[:, :middle], tile[:, middle:])]
    return tuple(flags)


def _spread(picture: Gray) -> float:
    """Standard deviation in grey levels, in a third of the time that numpy takes; of nothing it is infinite."""
    return float(cv2.meanStdDev(picture)[1][0, 0]) if picture.size else float("inf")
