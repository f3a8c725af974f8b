from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from recognizer.observation import Box, Image
from screen_agent.errors import EndOfSource
from screen_agent.frames import Frame
from screen_agent.headcount import Counted, Head
from screen_agent.settle import settle
from tests.conftest import START

LEFT, RIGHT, THIRD = (0, 0, 100, 60), (110, 0, 210, 60), (220, 0, 320, 60)
BLANK: Image = np.zeros((60, 330, 3), np.uint8)


class Scripted:
    """Answers with the tiles and the heads of one frame after the other."""

    def __init__(self, *frames: tuple[Sequence[Box], Sequence[Box]]) -> None:
        self.frames = list(frames)
        self.counted = 0

    def count(self, image: Image) -> Counted:
        tiles, heads = self.frames[min(self.counted, len(self.frames) - 1)]
        self.counted += 1
        return Counted(tuple(tiles), tuple(Head(tile, tile) for tile in heads))

    def grab(self) -> Frame:
        return Frame(BLANK, START + timedelta(seconds=self.counted))


TWO = (LEFT, RIGHT)


@pytest.mark.parametrize(
    ("frames", "heads", "looked"),
    [
        ([(TWO, TWO), (TWO, TWO)], TWO, 2),  # two of three agree: the third would change nothing
        ([(TWO, TWO), (TWO, [LEFT]), (TWO, TWO)], TWO, 3),  # a blink
        ([(TWO, [LEFT]), (TWO, TWO), (TWO, [LEFT])], [LEFT], 3),  # a false head
        ([(TWO, []), (TWO, [])], [], 2),
    ],
)
def test_the_majority_of_a_burst_decides_tile_by_tile(
    frames: list[tuple[Sequence[Box], Sequence[Box]]], heads: Sequence[Box], looked: int
) -> None:
    script = Scripted(*frames)
    settled = settle(script.grab, script, burst=3)
    assert [head.tile_xyxy for head in settled.heads] == list(heads)
    assert script.counted == looked


def test_where_in_the_tile_the_head_is_decides_the_majority_too() -> None:
    face, lamp = (30, 10, 60, 40), (70, 20, 95, 45)
    boxes = iter([face, lamp, face])

    class Wandering(Scripted):
        def count(self, image: Image) -> Counted:
            self.counted += 1
            return Counted((LEFT,), (Head(LEFT, next(boxes)),))

    script = Wandering()
    assert settle(script.grab, script, burst=3).heads == (Head(LEFT, face),)
    assert script.counted == 3


def test_a_burst_starts_over_when_tiles_come_or_go() -> None:
    three = (LEFT, RIGHT, THIRD)
    script = Scripted((TWO, TWO), (three, three), (three, three))
    settled = settle(script.grab, script, burst=3)
    assert len(settled.heads) == 3
    assert (settled.began_at, settled.frame.taken_at) == (
        START + timedelta(seconds=1),
        START + timedelta(seconds=2),
    )


def test_a_view_that_never_rests_is_settled_all_the_same() -> None:
    script = Scripted(*[(TWO, TWO), ((LEFT,), (LEFT,))] * 10)
    assert settle(script.grab, script, burst=3).heads


def test_a_recording_that_ends_within_a_burst_is_settled_with_what_there_is() -> None:
    class Ending(Scripted):
        def grab(self) -> Frame:
            if self.counted == 1:
                raise EndOfSource("over")
            return super().grab()

    script = Ending((TWO, TWO))
    assert len(settle(script.grab, script, burst=3).heads) == 2
    with pytest.raises(EndOfSource):
        settle(script.grab, script, burst=3)


def test_a_still_picture_needs_no_burst() -> None:
    script = Scripted((TWO, TWO))
    assert len(settle(script.grab, script, burst=1).heads) == 2
    assert script.counted == 1
