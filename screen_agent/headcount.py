"""How many heads: the seam behind which they are counted, and counting tile by tile."""

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from recognizer.cascade import to_gray
from recognizer.observation import Box, Gray, Image
from recognizer.workers import side_by_side
from screen_agent.detectors import HaarDetector, HeadDetector
from screen_agent.drawn import is_drawn
from screen_agent.signature import (
    DIFFERENT_FACE,
    Signature,
    difference,
    face_signature,
    shifted_signatures,
    tile_signature,
)
from screen_agent.stage import Stage

__all__ = ["Counted", "Head", "Headcounter", "TileHeadcounter"]

SAME_HEAD = 0.27
"""Difference of two signatures below which the same head is still there, and no detector is asked. Measured on photographs
with a fifth of the face to move in: no other person of 3,300 and no empty room of 560 came below .30, and nine of ten
heads half a minute later do."""
SIMILAR_HEAD, SAME_SCENE = 0.36, 0.13
"""The same, where the whole tile looks as before, too: of 1,600 other people before the same wall one in a thousand was
below the second, and none below both."""
STILL_THERE = 0.4
"""The same, where the detector finds nothing: then the head seen before is kept."""
SAME_PICTURE = 6
"""Grey levels within which a tile without a head is still the same picture."""
THUMB = (32, 18)


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


@dataclass(frozen=True, slots=True)
class _Known:
    """A tile when the detector was asked last: where its head was and what the face looked like; both None: none there.

    `moved`: how different the face looks since. `thumb`: the tile without a head.
    """

    box_xyxy: Box | None = None
    face: Signature | None = None
    tile: Signature | None = None
    thumb: Gray | None = None
    moved: float = 0.0


@dataclass(frozen=True, slots=True)
class _Unsure:
    """A tile in which a detector must look. `kept`: the head followed from before, None where there was none."""

    tile_xyxy: Box
    thumb: Gray
    kept: _Known | None


class TileHeadcounter:
    """Asks a detector tile by tile; over the whole frame where no tiles are found. For one thread.

    A tile in which the same head still is, or still none, is not searched again: most tiles of most looks. `searched`
    counts the tiles that were.
    """

    def __init__(self, detector: HeadDetector | None = None) -> None:
        self._detector = HaarDetector() if detector is None else detector
        self._stage = Stage()
        self._known: dict[Box, _Known] = {}
        self.searched = 0

    def count(self, image: Image) -> Counted:
        gray = to_gray(image)
        tiles = self._stage.tiles(image, gray)
        if not tiles:
            self._known.clear()
            return Counted((), tuple(_surrounded(box, gray) for box in self._detector.anywhere(gray)))
        known: dict[Box, _Known] = {}
        unsure: list[_Unsure] = []
        for tile in tiles:
            now = _recognised(gray, tile, self._known.get(tile))
            if isinstance(now, _Unsure):
                unsure.append(now)
            else:
                known[tile] = now
        self.searched += len(unsure)
        found = side_by_side(lambda one: self._search(gray, one), unsure)
        known |= {one.tile_xyxy: now for one, now in zip(unsure, found, strict=True)}
        self._known = known
        heads = ((tile, known[tile].box_xyxy) for tile in tiles)
        return Counted(tiles, tuple(Head(tile, box) for tile, box in heads if box is not None))

    def _search(self, gray: Gray, unsure: _Unsure) -> _Known:
        tile, kept = unsure.tile_xyxy, unsure.kept
        left, top, right, bottom = tile
        crop = gray[top:bottom, left:right]
        # Of somebody new the whole tile is searched, so that the same picture always gives the same box.
        near = None if kept is None or kept.moved >= DIFFERENT_FACE else _within(tile, kept.box_xyxy)
        found = None if is_drawn(crop) else self._detector.in_tile(crop, near)
        if found is None:
            return kept if kept is not None and kept.moved < STILL_THERE else _Known(thumb=unsure.thumb)
        x1, y1, x2, y2 = found
        box = (left + x1, top + y1, min(right, left + x2), min(bottom, top + y2))
        return _Known(box, face_signature(gray, box), tile_signature(gray, tile))


def _recognised(gray: Gray, tile: Box, before: _Known | None) -> _Known | _Unsure:
    """What is known of a tile where it shows the same as before."""
    kept = None if before is None or before.face is None else _followed(gray, before)
    if kept is not None and _is_same(gray, tile, kept):
        return kept
    left, top, right, bottom = tile
    crop = gray[top:bottom, left:right]
    thumb = np.asarray(cv2.resize(crop, THUMB, interpolation=cv2.INTER_AREA), np.uint8)
    if before is not None and before.thumb is not None and _same_picture(thumb, before.thumb):
        return before
    return _Unsure(tile, thumb, kept)


def _is_same(gray: Gray, tile: Box, kept: _Known) -> bool:
    if kept.moved < SAME_HEAD or kept.tile is None:
        return kept.moved < SAME_HEAD
    return kept.moved < SIMILAR_HEAD and difference(kept.tile, tile_signature(gray, tile)) < SAME_SCENE


def _within(tile: Box, box_xyxy: Box | None) -> Box | None:
    """A box of the frame, in pixels of the tile."""
    if box_xyxy is None:
        return None
    left, top, _, _ = tile
    x1, y1, x2, y2 = box_xyxy
    return x1 - left, y1 - top, x2 - left, y2 - top


def _same_picture(one: Gray, other: Gray) -> bool:
    return int(cv2.absdiff(one, other).max()) <= SAME_PICTURE


def _followed(gray: Gray, before: _Known) -> _Known:
    """The head where it is now, within a fifth of its size, and how different it looks there."""
    assert before.box_xyxy is not None
    assert before.face is not None
    moved = difference(before.face, face_signature(gray, before.box_xyxy))
    if moved < SAME_HEAD:
        return replace(before, moved=moved)
    signatures, boxes = shifted_signatures(gray, before.box_xyxy)
    if not boxes:
        return replace(before, moved=moved)
    apart = np.abs(signatures - before.face).mean(axis=1)
    best = int(apart.argmin())
    return replace(before, box_xyxy=boxes[best], moved=float(apart[best]))


def _surrounded(box: Box, gray: Gray) -> Head:
    """A head without a tile: half its width on both sides and half its height above and below stand for one."""
    height, width = gray.shape
    x1, y1, x2, y2 = box
    beside, above = (x2 - x1) // 2, (y2 - y1) // 2
    return Head(
        (max(0, x1 - beside), max(0, y1 - above), min(width, x2 + beside), min(height, y2 + above)), box
    )
