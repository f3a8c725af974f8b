"""A headcount that a short burst of frames agrees on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from recognizer.observation import Box
from screen_agent.errors import EndOfSource
from screen_agent.frames import Frame
from screen_agent.headcount import Counted, Head, Headcounter
from screen_agent.tiles import overlap

__all__ = ["Settled", "same_layout", "settle"]

SAME_TILE, SAME_PLACE = 0.8, 0.5
MAX_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Settled:
    """A headcount that a burst of frames agrees on. `frame` is its last one; `heads` are what it outvoted.

    `before`: the burst's first frame, None where there was one only.
    """

    frame: Frame
    began_at: datetime
    tiles: tuple[Box, ...]
    heads: tuple[Head, ...]
    before: Frame | None = None


def settle(grab: Callable[[], Frame], counter: Headcounter, burst: int) -> Settled:
    """Count heads in up to `burst` frames and let the majority decide, tile by tile.

    Stops as soon as no further frame can change the result, or with the source: then the frames there are decide. When
    tiles come or go between two frames the view is just being laid out anew, and the burst starts over. `grab` paces itself.
    """
    frames: list[tuple[Frame, Counted]] = []
    restarts = 0
    while True:
        try:
            frame = grab()
        except EndOfSource:
            if not frames:
                raise
            return _settled(frames, _vote(frames, len(frames))[0])
        counted = counter.count(frame.image)
        if frames and restarts < MAX_RESTARTS and not same_layout(frames[-1][1].tiles, counted.tiles):
            frames.clear()
            restarts += 1
        frames.append((frame, counted))
        heads, undecided = _vote(frames, burst)
        if not undecided:
            return _settled(frames, heads)


def _settled(frames: Sequence[tuple[Frame, Counted]], heads: tuple[Head, ...]) -> Settled:
    last, counted = frames[-1]
    first = frames[0][0]
    return Settled(last, first.taken_at, counted.tiles, heads, first if len(frames) > 1 else None)


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
