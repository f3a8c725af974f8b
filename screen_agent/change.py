"""What changed since the last settled look, and whose faces must therefore be asked about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from scipy.optimize import linear_sum_assignment

from recognizer.cascade import to_gray
from recognizer.observation import Box, FaceCrop, Gray, Image, Receipt, SeenFace
from screen_agent.headcount import Head
from screen_agent.settle import Settled, same_layout
from screen_agent.signature import (
    DIFFERENT_FACE,
    Signature,
    aligned_likeness,
    difference,
    face_patch,
    face_signature,
    shifted_signatures,
    tile_signature,
)
from screen_agent.tiles import overlap

__all__ = ["Change", "ChangeDetector"]

SAME_PLACE = 0.5
MARGIN = 0.6
"""Share of the face box added on each side of a crop: dlib's alignment needs .25, people want to see the head."""
FORGET_AFTER_LOOKS, FORGOTTEN = 2, 200
APART = 10.0
POSES = 16
SAME_POSE = 0.25
"""Difference of signatures below which one known pose stands for another: from further away poses that look a little
alike would drive each other out, and be asked about again and again."""
MOVED_FACE, MOVED_TILE = 0.35, 0.3
"""Differences of face and of tile below which who sits in another place is the same person: of 11,000 pairs of people
before and after a gallery was laid out anew none came near, and 97 % of those who had kept the pose are below both."""
ALIGNED = 0.98
"""Correlation with a known pose, aligned, from which it is that person. Of 39,000 pairs of people, most of them before
the same wall, none came above .965; of pairs of one picture of one person 99.9 % did come above .98, however the
cascade had boxed them. Photographs, that is: of a living face that comes back to a pose fewer will."""
CANDIDATES = 2
"""The poses most alike, which alone are aligned: in a gallery of 126 to 226 poses the right one was among them for 94 % of
the faces found by nothing cheaper."""
SAME_TILE = 0.4
"""The tile's in one place: when one leaves and another joins, everybody between may have moved by a place."""


@dataclass(frozen=True, slots=True)
class Change:
    """The faces of a look, some with crops to be asked about, and why (see `Observation.trigger`)."""

    trigger: str
    faces: tuple[SeenFace, ...]


@dataclass(frozen=True, slots=True)
class _Pose:
    """How somebody looked: the face, and the whole tile. `patch`: the face again, finer, to be aligned with others."""

    face: Signature
    tile: Signature
    patch: Gray

    def stands_for(self, new: "_Occupant") -> bool:
        """Whether this pose is the one in which somebody was just seen."""
        return difference(self.face, new.poses[0].face) < SAME_POSE


@dataclass(frozen=True, slots=True)
class _Occupant:
    """Who sat where when last seen. `poses`: how they looked whenever they looked new, the latest first.

    `missed`: looks since then. `name`: the student's then, None without one. `asked`: the pose last asked about.
    """

    track: str
    tile_xyxy: Box
    poses: tuple[_Pose, ...]
    missed: int = 0
    name: str | None = None
    asked: _Pose | None = None

    def unlike_here(self, new: "_Occupant") -> float:
        """How different somebody seen in the same place is since, `APART` where it is another person or in another pose."""
        return _unlike(self.poses[0], new, DIFFERENT_FACE, SAME_TILE)

    def unlike_elsewhere(self, new: "_Occupant") -> float:
        """The same of somebody in any place, in any pose known."""
        return min(_unlike(pose, new, MOVED_FACE, MOVED_TILE) for pose in self.poses)

    def seen_as(self, new: "_Occupant") -> "_Occupant":
        """This occupant as seen just now."""
        unlike = [pose for pose in self.poses if not pose.stands_for(new)]
        return replace(new, track=self.track, poses=(*new.poses, *unlike)[:POSES], asked=self.asked)


def _unlike(pose: _Pose, new: _Occupant, face_limit: float, tile_limit: float) -> float:
    face, tile = difference(pose.face, new.poses[0].face), difference(pose.tile, new.poses[0].tile)
    return face + tile if face < face_limit and tile < tile_limit else APART


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
        self._newer: dict[str, str] = {}
        self._forgotten: dict[str, _Occupant] = {}
        self._tiles: tuple[Box, ...] = ()
        self._headcount = 0

    def compare(self, look: Settled, uid: str, before: Receipt | None) -> Change:
        """The change since the look before. `uid` names new tracks; `before`: what came back for that look.

        A face whose track was found to be the same person as the one it succeeded is known in both poses from then on.
        """
        wanted: Collection[str] = () if before is None else before.wanted
        if before is not None:
            self._join(before)
        image = look.frame.image
        gray = to_gray(image)
        seen = [_Occupant("", head.tile_xyxy, (_pose(gray, head),)) for head in look.heads]
        rearranged = not same_layout(self._tiles, look.tiles)
        kept = self._match(seen, rearranged)
        self._match_aligned(kept, seen, gray, [head.box_xyxy for head in look.heads])
        held = {old.track for old in kept.values()}
        gone = [] if rearranged else [old for old in self._occupants if old.track not in held]
        self._tiles = look.tiles
        headcount_changed = len(look.heads) != self._headcount
        faces, occupants, reasons = [], [], set()
        for index, (head, occupant) in enumerate(zip(look.heads, seen, strict=True)):
            old = kept.get(index)
            track = f"{uid[:18]}-{index}" if old is None else old.track
            reason = self._reason(None if old is None else track, headcount_changed, wanted)
            reasons.add(reason)
            crop = None if reason == "none" else cut_face(image, head)
            succeeds = _succeeded(occupant, gone) if old is None else None
            before_asked = None if old is None else old.asked
            repeats = before_asked is not None and before_asked.stands_for(occupant)
            faces.append(
                SeenFace(
                    track,
                    head.tile_xyxy,
                    head.box_xyxy,
                    crop,
                    spot_check=reason == "spot",
                    succeeds=succeeds,
                    repeats=reason == "unsettled" and repeats,
                )
            )
            now = replace(occupant, track=track) if old is None else old.seen_as(occupant)
            occupants.append(now if crop is None else replace(now, asked=occupant.poses[0]))
        lost = [replace(old, missed=old.missed + 1) for old in self._occupants if old.track not in held]
        gone_for_good = {old.track: old for old in lost if old.missed > FORGET_AFTER_LOOKS and old.name}
        self._forgotten = dict([*self._forgotten.items(), *gone_for_good.items()][-FORGOTTEN:])
        lost = [old for old in lost if old.missed <= FORGET_AFTER_LOOKS]
        self._occupants = occupants + lost
        self._headcount = len(look.heads)
        trigger = next(
            (reason for reason in ("headcount", "tile", "unsettled", "spot") if reason in reasons), "none"
        )
        return Change("headcount" if headcount_changed else trigger, tuple(faces))

    def _join(self, receipt: Receipt) -> None:
        """Give the newer of two tracks of one person the poses of the older, and drop that.

        Nobody is matched with the forgotten, but who has the name of one of them need not be asked about pose by
        pose again. Without the name a wrong guess of the recogniser's would last: one person's pose, known as
        another's, is never asked about.
        """
        by_track = {
            old.track: old if old.missed else replace(old, name=receipt.names.get(old.track))
            for old in self._occupants
        }
        for newer, older in receipt.continues.items():
            while older in self._newer:
                older = self._newer[older]
            if newer not in by_track or newer == older:
                continue
            old = by_track.pop(older, None)
            if old is None and (gone := self._forgotten.get(older)) is not None:
                name = by_track[newer].name
                old = self._forgotten.pop(older) if name is not None and name == gone.name else None
            if old is not None:
                poses = by_track[newer].poses + old.poses
                by_track[newer] = replace(by_track[newer], poses=poses[:POSES])
                self._newer[older] = newer
        self._occupants = list(by_track.values())

    def _reason(self, before: str | None, headcount_changed: bool, wanted: Collection[str]) -> str:
        if before is None:
            return "headcount" if headcount_changed else "tile"
        if before in wanted:
            return "unsettled"
        return "spot" if self._random.random() < self._spot_check else "none"

    def _match(self, seen: Sequence[_Occupant], rearranged: bool) -> dict[int, _Occupant]:
        """Which of the faces seen are occupants of before, by index.

        Who sits where somebody alike sat is the same person, unless the gallery was laid out anew.
        """
        kept: dict[int, _Occupant] = {}
        free = list(self._occupants)
        for index, new in enumerate([] if rearranged else seen):
            here = [old for old in free if overlap(old.tile_xyxy, new.tile_xyxy) >= SAME_PLACE]
            best = min(here, key=lambda old: old.unlike_here(new), default=None)
            if best is not None and best.unlike_here(new) < APART:
                kept[index] = best
                free.remove(best)
        rest = [index for index in range(len(seen)) if index not in kept]
        if rest and free:
            costs = np.array([[old.unlike_elsewhere(seen[index]) for old in free] for index in rest])
            for row, column in zip(*linear_sum_assignment(costs), strict=True):
                if costs[row, column] < APART:
                    kept[rest[row]] = free[column]
        return kept

    def _match_aligned(
        self, kept: dict[int, _Occupant], seen: Sequence[_Occupant], gray: Gray, boxes: Sequence[Box]
    ) -> None:
        """Add those whom aligning finds in a pose known: the head lies aside of where it lay, turned, larger or smaller."""
        held = {old.track for old in kept.values()}
        free = [old for old in self._occupants if old.track not in held]
        poses = [(column, pose) for column, old in enumerate(free) for pose in old.poses]
        rest = [index for index in range(len(seen)) if index not in kept]
        if not rest or not poses:
            return
        known = np.stack([pose.face for _, pose in poses], axis=1)
        costs = np.full((len(rest), len(free)), APART)
        for place, index in enumerate(rest):
            faces, _ = shifted_signatures(gray, boxes[index])
            if not len(faces):
                faces = seen[index].poses[0].face[None]
            alike = (faces @ known).max(axis=0)
            for number in np.argsort(-alike)[:CANDIDATES].tolist():
                column, pose = poses[number]
                likeness = aligned_likeness(pose.patch, gray, boxes[index])
                if likeness >= ALIGNED:
                    costs[place, column] = min(costs[place, column], 1 - likeness)
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] < APART:
                kept[rest[row]] = free[column]


def _pose(gray: Gray, head: Head) -> _Pose:
    return _Pose(
        face_signature(gray, head.box_xyxy),
        tile_signature(gray, head.tile_xyxy),
        face_patch(gray, head.box_xyxy),
    )


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
