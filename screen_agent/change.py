"""What changed since the last settled look, and whose faces must therefore be asked about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from scipy.optimize import linear_sum_assignment

from recognizer.observation import Box, FaceCrop, Image, SeenFace
from screen_agent.headcount import Head, Settled, same_layout
from screen_agent.signature import (
    DIFFERENT_FACE,
    DIFFERENT_TILE,
    Signature,
    difference,
    face_signature,
    tile_signature,
)
from screen_agent.tiles import overlap

__all__ = ["Change", "ChangeDetector"]

SAME_PLACE = 0.5
MARGIN = 0.6
"""Share of the face box added on each side of a crop: dlib's alignment needs .25, people want to see the head."""
FORGET_AFTER_LOOKS = 2
APART = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """The faces of a look, some with crops to be asked about, and why (see `Observation.trigger`)."""

    trigger: str
    faces: tuple[SeenFace, ...]


@dataclass(frozen=True, slots=True)
class _Occupant:
    """Who sat where when last seen. `missed`: looks since then."""

    track: str
    tile_xyxy: Box
    face: Signature
    tile: Signature
    missed: int = 0


class ChangeDetector:
    """Follows the occupants of tiles from look to look. For one thread.

    An occupant keeps the track while the face in the tile looks the same. When the gallery is laid out anew, faces are
    found again by their looks and their background wherever they went. `spot_check`: share of unchanged faces that
    are asked about all the same. `random` decides which.
    """

    def __init__(self, spot_check: float, random: Random) -> None:
        self._spot_check = spot_check
        self._random = random
        self._occupants: list[_Occupant] = []
        self._tiles: tuple[Box, ...] = ()
        self._headcount = 0

    def compare(self, look: Settled, uid: str, wanted: Collection[str]) -> Change:
        """The change since the look before. `uid` names new tracks; `wanted`: tracks to be shown again."""
        image = look.frame.image
        seen = [
            _Occupant(
                "",
                head.tile_xyxy,
                face_signature(image, head.box_xyxy),
                tile_signature(image, head.tile_xyxy),
            )
            for head in look.heads
        ]
        rearranged = not same_layout(self._tiles, look.tiles)
        kept = self._match(seen, rearranged)
        gone = [] if rearranged else [old for old in self._occupants if old.track not in kept.values()]
        self._tiles = look.tiles
        headcount_changed = len(look.heads) != self._headcount
        faces, occupants, reasons = [], [], set()
        for index, (head, occupant) in enumerate(zip(look.heads, seen, strict=True)):
            before = kept.get(index)
            track = f"{uid[:18]}-{index}" if before is None else before
            reason = self._reason(before, headcount_changed, wanted)
            reasons.add(reason)
            crop = None if reason == "none" else cut_face(image, head)
            succeeds = _succeeded(occupant, gone) if before is None else None
            faces.append(SeenFace(track, head.tile_xyxy, head.box_xyxy, crop, reason == "spot", succeeds))
            occupants.append(_Occupant(track, occupant.tile_xyxy, occupant.face, occupant.tile))
        lost = [
            _Occupant(old.track, old.tile_xyxy, old.face, old.tile, old.missed + 1)
            for old in self._occupants
            if old.track not in kept.values() and old.missed < FORGET_AFTER_LOOKS
        ]
        self._occupants = occupants + lost
        self._headcount = len(look.heads)
        trigger = next(
            (reason for reason in ("headcount", "tile", "unsettled", "spot") if reason in reasons), "none"
        )
        return Change("headcount" if headcount_changed else trigger, tuple(faces))

    def _reason(self, before: str | None, headcount_changed: bool, wanted: Collection[str]) -> str:
        if before is None:
            return "headcount" if headcount_changed else "tile"
        if before in wanted:
            return "unsettled"
        return "spot" if self._random.random() < self._spot_check else "none"

    def _match(self, seen: Sequence[_Occupant], rearranged: bool) -> dict[int, str]:
        """Which of the faces seen are occupants of before: index to track.

        Who sits where somebody alike sat is the same person, unless the gallery was laid out anew.
        """
        kept: dict[int, str] = {}
        free = list(self._occupants)
        for index, new in enumerate([] if rearranged else seen):
            here = [old for old in free if overlap(old.tile_xyxy, new.tile_xyxy) >= SAME_PLACE]
            same = [old for old in here if _same_person(old, new)]
            if same:
                best = min(same, key=lambda old: difference(old.face, new.face))
                kept[index] = best.track
                free.remove(best)
        rest = [index for index in range(len(seen)) if index not in kept]
        if rest and free:
            costs = np.array([[_moved_cost(old, seen[index]) for old in free] for index in rest])
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < APART:
                    kept[rest[row]] = free[column].track
        return kept


def cut_face(image: Image, head: Head) -> FaceCrop:
    """A copy of the face with a margin, clipped to the frame."""
    x1, y1, x2, y2 = head.box_xyxy
    margin_x, margin_y = round(MARGIN * (x2 - x1)), round(MARGIN * (y2 - y1))
    left, top = max(0, x1 - margin_x), max(0, y1 - margin_y)
    crop = image[top : y2 + margin_y, left : x2 + margin_x].copy()
    return FaceCrop(crop, (x1 - left, y1 - top, x2 - left, y2 - top))


def _succeeded(new: _Occupant, gone: Sequence[_Occupant]) -> str | None:
    """The track of who was in this place until now."""
    here = (old for old in gone if overlap(old.tile_xyxy, new.tile_xyxy) >= SAME_PLACE)
    return next((old.track for old in here), None)


def _same_person(old: _Occupant, new: _Occupant) -> bool:
    return difference(old.face, new.face) < DIFFERENT_FACE


def _moved_cost(old: _Occupant, new: _Occupant) -> float:
    """How unlike a face elsewhere is to one of before; `APART` or more where it is somebody else.

    In another place the background must agree too: among many faces two may look alike by chance.
    """
    face, tile = difference(old.face, new.face), difference(old.tile, new.tile)
    return face + tile if face < DIFFERENT_FACE and tile < DIFFERENT_TILE else APART + face
