"""Finding a head in a tile: OpenCV's cascades, or dlib's histogram of gradients."""

from collections.abc import Callable
from functools import cache
from queue import SimpleQueue
from threading import Lock
from typing import Any, Protocol

import cv2
import numpy as np

from recognizer.cascade import FaceCascade
from recognizer.observation import Box, Gray
from recognizer.workers import WORKERS

__all__ = ["DETECTORS", "HaarDetector", "HeadDetector", "HogDetector"]

TILE_HEIGHT_PX = 216
"""Tiles are shrunk to this height first: the face sizes looked for stay well above the cascade's 20 pixels."""
MIN_FACE, MAX_FACE = 0.28, 0.75
LOOSE_FACE_PX = 40
COARSE = 1.2


class HeadDetector(Protocol):
    """Finds heads in grey pictures. `in_tile` may be called by several threads at once."""

    def in_tile(self, tile: Gray, near: Box | None = None) -> Box | None:
        """The one head of a tile, pixels of it; None where it sees none. `near`: where it was, None: not known."""

    def anywhere(self, gray: Gray) -> list[Box]:
        """All heads of a picture without tiles, from left to right."""


class HaarDetector:
    """OpenCV's frontal-face cascade `alt2`, and where that sees nothing its profile cascade, both ways round.

    The frontal cascade looks where the head was, then in steps of 1.2, which takes less than half the time of 1.1, then in
    those. At a scale step of 1.1, one neighbour and faces of .28 to .75 of the tile's height `alt2` alone found .988 of the
    heads with a precision of .999 on 80 held-out gallery frames of 5×5 and 7×7 (Viola and Jones 2001; Lienhart 2003).
    """

    def __init__(self) -> None:
        self._idle: SimpleQueue[_Cascades] = SimpleQueue()
        for _ in range(WORKERS):
            self._idle.put(_Cascades())

    def in_tile(self, tile: Gray, near: Box | None = None) -> Box | None:
        cascades = self._idle.get()
        try:
            return cascades.in_tile(tile, near)
        finally:
            self._idle.put(cascades)

    def anywhere(self, gray: Gray) -> list[Box]:
        cascades = self._idle.get()
        try:
            return cascades.anywhere(gray)
        finally:
            self._idle.put(cascades)


class _Cascades:
    """The cascades of one thread."""

    def __init__(self) -> None:
        self._front = FaceCascade()
        self._side = FaceCascade("haarcascade_profileface.xml")

    def in_tile(self, tile: Gray, near: Box | None) -> Box | None:
        if near is not None and (beside := self._beside(tile, near)) is not None:
            return beside
        box = self._anywhere_in(tile)
        # The coarse steps find the head, finer ones around it where exactly it is.
        return None if box is None else self._beside(tile, box) or box

    def _anywhere_in(self, tile: Gray) -> Box | None:
        scale, tile = _shrunk(tile, tile.shape[0])
        height, width = tile.shape
        smallest, largest = round(MIN_FACE * height), round(MAX_FACE * height)
        found = (
            self._front.find(tile, 1, smallest, largest, COARSE)
            or self._front.find(tile, 1, smallest, largest)
            or self._side.find(tile, 2, smallest, largest)
        )
        if not found:
            mirrored = np.ascontiguousarray(tile[:, ::-1])
            found = [
                (width - x2, y1, width - x1, y2)
                for x1, y1, x2, y2 in self._side.find(mirrored, 2, smallest, largest)
            ]
        if not found:
            return None
        x1, y1, x2, y2 = found[0]
        return round(x1 / scale), round(y1 / scale), round(x2 / scale), round(y2 / scale)

    def _beside(self, tile: Gray, near: Box) -> Box | None:
        """A head about as large as the one that was there, and no further away than half its size."""
        x1, y1, x2, y2 = near
        size, aside = x2 - x1, (x2 - x1) // 2
        left, top = max(0, x1 - aside), max(0, y1 - aside)
        part = tile[top : y2 + aside, left : x2 + aside]
        scale, small = _shrunk(part, tile.shape[0])
        found = self._front.find(small, 1, round(0.75 * size * scale), round(1.35 * size * scale))
        if not found:
            return None
        x1, y1, x2, y2 = (round(side / scale) for side in found[0])
        return left + x1, top + y1, left + x2, top + y2

    def anywhere(self, gray: Gray) -> list[Box]:
        return sorted(self._front.find(gray, 2, LOOSE_FACE_PX))


_ONE_AT_A_TIME = Lock()
"""dlib's detector, of which a process has one, keeps the picture it searches."""


class HogDetector:
    """dlib's frontal-face detector (Dalal and Triggs 2005; King 2009): slower, for those who prefer it.

    It sees faces from about 80 pixels on; tiles are enlarged so that theirs are.
    """

    def in_tile(self, tile: Gray, near: Box | None = None) -> Box | None:
        del near
        scale = max(1.0, 80 / (MIN_FACE * tile.shape[0]))
        larger = cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        with _ONE_AT_A_TIME:
            found, scores, _ = _hog().run(np.asarray(larger, np.uint8), 0, 0.0)
        ranked = sorted(zip(scores, map(_corners, found), strict=True), key=lambda pair: -pair[0])
        height, width = tile.shape
        for _, (x1, y1, x2, y2) in ranked:
            if MIN_FACE * height <= (y2 - y1) / scale <= MAX_FACE * height:
                box = (round(x1 / scale), round(y1 / scale), round(x2 / scale), round(y2 / scale))
                return max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
        return None

    def anywhere(self, gray: Gray) -> list[Box]:
        height, width = gray.shape
        with _ONE_AT_A_TIME:
            found = _hog()(gray, 0)
        return sorted(
            (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
            for x1, y1, x2, y2 in map(_corners, found)
        )


DETECTORS: dict[str, Callable[[], HeadDetector]] = {"haar": HaarDetector, "hog": HogDetector}


def _shrunk(picture: Gray, tile_height_px: int) -> tuple[float, Gray]:
    """A tile or a part of it as it is searched, and by how much it was shrunk.

    A part is shrunk like its tile: the cascade's windows grow in steps from 20 pixels on, and the same head should be
    given the same box.
    """
    scale = min(1.0, TILE_HEIGHT_PX / tile_height_px)
    if scale == 1:
        return scale, picture
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return scale, np.asarray(small, np.uint8)


def _corners(box: Any) -> Box:
    return box.left(), box.top(), box.right() + 1, box.bottom() + 1


@cache
def _hog() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()
