"""Pictures that pretend to be people: tiles whose face never moves, and tiles that repeat themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recognizer.cascade import to_gray
from recognizer.observation import Box, Image, SeenFace
from screen_agent.settle import Settled

__all__ = ["LOOP", "STILL_PICTURE", "Stillness"]

STILL_PICTURE, LOOP = "still_picture", "loop"

Cells = NDArray[np.float32]
GRID = 8
AROUND = 0.3
"""Share of the face box looked at beyond each of its sides: the head against what is behind it."""

SAME = 1.0
"""Root mean square difference of the cells, in grey levels, below which two pictures show the same.

Measured on 24 people in tiles of 240 and 352 pixels' width. A picture that does not move, with or without a camera's
noise, through JPEG of quality 70 to 90: at most .9 over six looks; 40 to 60: 1.2. People who sway by a hundredth of the
face or more: at least 2.7 over six looks, half a hundredth: 1.4."""
PLAIN = 30.0
"""Contrast (standard deviation in grey levels) below which the limit falls in proportion: in the dark all moves less."""
JITTER_PX = 3
"""By which the same tile's edges are found elsewhere from look to look."""
STILL_LOOKS, STILL_FOR = 6, timedelta(minutes=2)
FROZEN_HEADS = 3
"""So many heads still at once, and more than half of all, are a frozen window, not pictures."""

REPEATS = 3
FAR_TOO_EXACT = 0.08
"""Share of a tile's usual difference between looks below which a return to an earlier picture is no chance."""
KEPT_LOOKS = 150


@dataclass(frozen=True, slots=True)
class _Shot:
    """A face at a look: at the beginning of its burst and at the end."""

    at: datetime
    first: Cells
    last: Cells


@dataclass(slots=True)
class _Film:
    """What was seen of one track while its tile kept its size. `tile_xyxy` and `region_xyxy`: as found first, of the frame.

    `repeats`: looks at which the picture came back.
    """

    tile_xyxy: Box
    region_xyxy: Box
    shots: list[_Shot]
    repeats: int = 0


class Stillness:
    """Remembers each occupant's pictures and says which look like no live camera. For one thread.

    A cue is a reason to ask, never a verdict: a frozen connection looks like a still picture too, and a photograph moved
    by hand does not.
    """

    def __init__(self) -> None:
        self._films: dict[str, _Film] = {}

    def cues(self, look: Settled, faces: Sequence[SeenFace]) -> dict[str, str]:
        """The cue of each track of the look that has one. Call once per look, in order of time."""
        last = look.frame.image
        first = last if look.before is None else look.before.image
        found: dict[str, str] = {}
        for face in faces:
            film = self._film(face, last)
            region = film.region_xyxy
            shot = _Shot(look.frame.taken_at, _cells(first, region), _cells(last, region))
            if _is_still(film.shots, shot):
                found[face.track] = STILL_PICTURE
            else:
                film.repeats += _repeats(film.shots, shot)
                if film.repeats >= REPEATS:
                    found[face.track] = LOOP
            film.shots = [*film.shots[1 - KEPT_LOOKS :], shot]
        self._films = {track: film for track, film in self._films.items() if _recent(film, look)}
        still = sum(cue == STILL_PICTURE for cue in found.values())
        if still >= FROZEN_HEADS and still > len(faces) / 2:
            return {track: cue for track, cue in found.items() if cue != STILL_PICTURE}
        return found

    def _film(self, face: SeenFace, image: Image) -> _Film:
        film = self._films.get(face.track)
        if film is None or not _same_size(film.tile_xyxy, face.tile_xyxy):
            film = _Film(face.tile_xyxy, _around(face), [])
        elif max(abs(a - b) for a, b in zip(film.tile_xyxy, face.tile_xyxy, strict=True)) > JITTER_PX:
            right = face.tile_xyxy[0] - film.tile_xyxy[0]
            down = face.tile_xyxy[1] - film.tile_xyxy[1]
            region = _aligned(_moved(film.region_xyxy, right, down), film.shots[-1].last, image)
            film = _Film(face.tile_xyxy, region, film.shots, film.repeats)
        self._films[face.track] = film
        return film


def _same_size(one: Box, other: Box) -> bool:
    wider = (one[2] - one[0]) - (other[2] - other[0])
    higher = (one[3] - one[1]) - (other[3] - other[1])
    return max(abs(wider), abs(higher)) <= JITTER_PX


def _around(face: SeenFace) -> Box:
    """The head with a little of what is behind it, within the tile."""
    (x1, y1, x2, y2), (left, top, right, bottom) = face.box_xyxy, face.tile_xyxy
    beside, above = round(AROUND * (x2 - x1)), round(AROUND * (y2 - y1))
    return max(left, x1 - beside), max(top, y1 - above), min(right, x2 + beside), min(bottom, y2 + above)


def _moved(box: Box, right: int, down: int) -> Box:
    return box[0] + right, box[1] + down, box[2] + right, box[3] + down


def _aligned(region: Box, before: Cells, image: Image) -> Box:
    """The region, or a place some pixels beside it, that looks most as before: tiles are found to a pixel or two."""
    height, width = image.shape[:2]
    steps = range(-JITTER_PX, JITTER_PX + 1)
    places = [_moved(region, right, down) for right in steps for down in steps]
    inside = [box for box in places if min(box[:2]) >= 0 and box[2] <= width and box[3] <= height]
    return min(inside, key=lambda box: _apart(_cells(image, box), before), default=region)


def _cells(image: Image, box: Box) -> Cells:
    """Mean grey levels of a grid of cells, float32 of shape (64,): compression moves them little, people much."""
    x1, y1, x2, y2 = box
    # A frame may be smaller than the one before: what lies outside of it is left out, but for a pixel.
    top, left = min(max(y1, 0), image.shape[0] - 1), min(max(x1, 0), image.shape[1] - 1)
    region = to_gray(image[top : max(y2, top + 1), left : max(x2, left + 1)]).astype(np.float32)
    height, width = region.shape
    return np.asarray(_shares(height) @ region @ _shares(width).T, np.float32).ravel()


@lru_cache(maxsize=1024)
def _shares(pixels: int) -> NDArray[np.float32]:
    """How much of each cell every pixel of a row makes up, float32 of shape (GRID, pixels).

    Two matrix products take half the time of `cv2.resize` by area, which means the same.
    """
    edges = np.linspace(0, pixels, GRID + 1)
    at = np.arange(pixels)
    covered = np.minimum(edges[1:, None], at + 1) - np.maximum(edges[:-1, None], at)
    return np.asarray(np.maximum(covered, 0) * GRID / pixels, np.float32)


def _apart(one: Cells, other: Cells) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _limit(shot: _Shot) -> float:
    return SAME * min(1.0, float(shot.last.std()) / PLAIN)


def _is_still(shots: Sequence[_Shot], shot: _Shot) -> bool:
    """Whether the face has not moved for the last looks, nor within any of their bursts."""
    limit, looks = _limit(shot), 1
    if _apart(shot.first, shot.last) >= limit:
        return False
    for earlier in reversed(shots):
        if max(_apart(earlier.last, shot.last), _apart(earlier.first, shot.last)) >= limit:
            return False
        looks += 1
        if looks >= STILL_LOOKS and shot.at - earlier.at >= STILL_FOR:
            return True
    return False


def _repeats(shots: Sequence[_Shot], shot: _Shot) -> bool:
    """Whether the whole burst shows again what an earlier look showed, though the picture moved in between."""
    if len(shots) < 3:
        return False
    away = np.sqrt(np.mean((np.array([one.last for one in shots]) - shot.last) ** 2, axis=1))
    limit = min(_limit(shot), FAR_TOO_EXACT * float(np.median(away)))
    # The looks right before may be equal because nothing happened since: only what was left and come back to counts.
    left = np.flatnonzero(away > 2 * SAME)
    back = np.flatnonzero(away[: left[-1]] < limit) if len(left) else left
    return any(_apart(shots[index].first, shot.first) < limit for index in back.tolist())


def _recent(film: _Film, look: Settled) -> bool:
    return look.frame.taken_at - film.shots[-1].at < timedelta(hours=2)
