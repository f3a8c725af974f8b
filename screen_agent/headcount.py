"""How many heads: a Haar cascade tile by tile, settled over a short burst of frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import cv2
import numpy as np

from recognizer.cascade import FaceCascade, to_gray
from recognizer.observation import Box, Gray, Image
from screen_agent.errors import EndOfSource
from screen_agent.frames import Frame
from screen_agent.tiles import find_tiles, overlap

__all__ = ["HaarHeadcounter", "Head", "Headcounter", "Settled", "same_layout", "settle"]

TILE_HEIGHT_PX = 216
"""Tiles are shrunk to this height first: the face sizes looked for stay well above the cascade's 20 pixels."""
MIN_FACE, MAX_FACE = 0.28, 0.75
LOOSE_FACE_PX = 40
SAME_TILE, SAME_PLACE = 0.8, 0.5
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Head:
    """A head in a tile, both in pixels of the frame. Without a gallery the tile is the surroundings of the head."""

    tile_xyxy: Box
    box_xyxy: Box


@dataclass(frozen=True, slots=True)
class Counted:
    """What a frame shows. `tiles`: all tiles, empty ones too; empty where there is no gallery."""

    tiles: tuple[Box, ...]
    heads: tuple[Head, ...]


class Headcounter(Protocol):
    """Finds heads. For one thread at a time."""

    def count(self, image: Image) -> Counted:
        """The heads of a frame, at most one per tile, in the order of the tiles."""


class HaarHeadcounter:
    """OpenCV's frontal-face cascade `alt2`, tile by tile; over the whole frame where no tiles are found.

    Tile by tile at a scale step of 1.1, one neighbour and faces of .28 to .75 of the tile's height it found .988 of
    the heads with a precision of .999 on 80 held-out gallery frames of 5×5 and 7×7 (Viola and Jones 2001; Lienhart).
    """

    def __init__(self) -> None:
        self._cascade = FaceCascade()

    def count(self, image: Image) -> Counted:
        gray = to_gray(image)
        tiles = find_tiles(image)
        if not tiles:
            return Counted((), tuple(self._anywhere(gray)))
        found = ((tile, self._in_tile(gray, tile)) for tile in tiles)
        return Counted(tuple(tiles), tuple(Head(tile, box) for tile, box in found if box is not None))

    def _in_tile(self, gray: Gray, tile: Box) -> Box | None:
        left, top, right, bottom = tile
        crop = gray[top:bottom, left:right]
        scale = min(1.0, TILE_HEIGHT_PX / (bottom - top))
        if scale < 1:
            crop = np.asarray(
                cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
            )
        height = crop.shape[0]
        faces = self._cascade.find(crop, 1, round(MIN_FACE * height), round(MAX_FACE * height))
        if not faces:
            return None
        x1, y1, x2, y2 = faces[0]
        return (
            left + round(x1 / scale),
            top + round(y1 / scale),
            min(right, left + round(x2 / scale)),
            min(bottom, top + round(y2 / scale)),
        )

    def _anywhere(self, gray: Gray) -> list[Head]:
        height, width = gray.shape
        heads = []
        for x1, y1, x2, y2 in sorted(self._cascade.find(gray, 2, LOOSE_FACE_PX)):
            beside, above = (x2 - x1) // 2, (y2 - y1) // 2
            tile = (max(0, x1 - beside), max(0, y1 - above), min(width, x2 + beside), min(height, y2 + above))
            heads.append(Head(tile, (x1, y1, x2, y2)))
        return heads


@dataclass(frozen=True, slots=True)
class Settled:
    """A headcount that a burst of frames agrees on. `frame` is its last one; `heads` are what it outvoted."""

    frame: Frame
    began_at: datetime
    tiles: tuple[Box, ...]
    heads: tuple[Head, ...]


def settle(grab: Callable[[], Frame], counter: Headcounter, burst: int) -> Settled:
    """Count heads in up to `burst` frames and let the majority decide, tile by tile.

    Stops as soon as no further frame can change the result, or with the source: then the frames there are decide. When tiles come or go between two frames the view is just
    being laid out anew, and the burst starts over. `grab` paces itself.
    """
    frames: list[tuple[Frame, Counted]] = []
    restarts = 0
    while True:
        try:
            frame = grab()
        except EndOfSource:
            if not frames:
                raise
            return _settled(frames, len(frames))
        counted = counter.count(frame.image)
        if frames and restarts < MAX_RESTARTS and not same_layout(frames[-1][1].tiles, counted.tiles):
            frames.clear()
            restarts += 1
        frames.append((frame, counted))
        if not _vote(frames, burst)[1]:
            return _settled(frames, burst)


def _settled(frames: Sequence[tuple[Frame, Counted]], burst: int) -> Settled:
    heads, _ = _vote(frames, burst)
    last, counted = frames[-1]
    return Settled(last, frames[0][0].taken_at, counted.tiles, heads)


def same_layout(one: Sequence[Box], other: Sequence[Box]) -> bool:
    """Whether the tiles are where they were."""
    return len(one) == len(other) and all(overlap(a, b) >= SAME_TILE for a, b in zip(one, other, strict=True))


def _vote(frames: Sequence[tuple[Frame, Counted]], burst: int) -> tuple[tuple[Head, ...], bool]:
    """The heads that a majority of the burst would have; and whether further frames may still change that.

    A tile counts when most frames see a head in it. Where in the tile it is, most of them should agree on as well:
    now and then the cascade takes a shoulder or a lamp for the one head of the tile.
    """
    places: list[list[Head]] = []
    for _, counted in reversed(frames):
        for head in counted.heads:
            place = next(
                (held for held in places if overlap(held[0].tile_xyxy, head.tile_xyxy) >= SAME_PLACE), None
            )
            if place is None:
                places.append([head])
            else:
                place.append(head)
    left, needed = burst - len(frames), burst // 2 + 1
    undecided = len(frames) < needed
    heads = []
    for place in places:
        # Newest first, so that of equally supported boxes the newest is taken.
        support, head = max(((_support(head, place), head) for head in place), key=lambda pair: pair[0])
        if len(place) >= needed:
            heads.append(head)
        undecided |= support < needed <= len(place) + left and left > 0
    return tuple(heads), undecided


def _support(head: Head, place: Sequence[Head]) -> int:
    """How many heads of the place, itself included, lie where this one does."""
    return sum(overlap(head.box_xyxy, other.box_xyxy) >= SAME_PLACE for other in place)
