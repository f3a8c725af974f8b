from collections.abc import Mapping
from random import Random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from demo.cast import CAST
from demo.gallery import Seat, draw_gallery
from recognizer.observation import Box, Gray, Image, Receipt
from screen_agent.change import Change, ChangeDetector, cut_face
from screen_agent.frames import Frame
from screen_agent.headcount import Head, TileHeadcounter
from screen_agent.settle import Settled
from tests.conftest import START
from tests.screen_agent.conftest import settled

Texture = NDArray[np.float32]


class Meeting:
    """Drawn meetings, counted by the real cascade."""

    def __init__(self, spot_check: float = 0.0) -> None:
        self.detector = ChangeDetector(spot_check, Random(1))
        self.counter = TileHeadcounter()
        self.looks = 0

    def look(
        self,
        *people: int,
        rooms: tuple[int, ...] | None = None,
        wanted: frozenset[str] = frozenset(),
        continues: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Change:
        """A look at these members of the cast, each in their own room unless `rooms` says otherwise.

        `wanted`, `continues` and `names`: what the recogniser answered to the look before.
        """
        self.looks += 1
        rooms = people if rooms is None else rooms
        seats = [
            Seat(CAST[one], CAST[one].name, backdrop_seed=room)
            for one, room in zip(people, rooms, strict=True)
        ]
        image: Image = np.asarray(draw_gallery(seats, 31.0 * self.looks), np.uint8)
        counted = self.counter.count(image)
        assert len(counted.heads) == len(people)
        settled = Settled(Frame(image, START), START, counted.tiles, counted.heads)
        receipt = Receipt("u", len(people), 0, 0, names or {}, wanted, continues or {})
        return self.detector.compare(settled, f"{self.looks:018d}", receipt)


def textured(seed: int) -> Texture:
    """Soft spots that stand for a face: float32 of shape (96, 96), mean 0, spread 1."""
    spots = np.random.default_rng(seed).normal(0, 1, (96, 96)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(spots, (0, 0), 7), np.float32)
    return np.asarray((soft - soft.mean()) / soft.std(), np.float32)


def picture(face: Texture) -> Gray:
    """A tile with the face in its middle, before a wall that gets lighter to the right."""
    tile = np.tile(np.linspace(60, 190, 320, dtype=np.float32), (180, 1))
    tile[40:136, 120:216] = 128 + 40 * (face - face.mean()) / face.std()
    return np.clip(tile, 0, 255).astype(np.uint8)


def seen_at(tile: Gray, place: Box, head: Box, aside: int = 0) -> Settled:
    """A look at a window of 800 × 180 with this tile, so many pixels aside of its place."""
    window = np.full((180, 800), 30, np.uint8)
    x1, y1, x2, y2 = place
    window[y1:y2, x1 + aside : x2 + aside] = tile
    there = (x1 + aside, y1, x2 + aside, y2)
    left, top, right, bottom = head
    return settled(
        np.asarray(cv2.cvtColor(window, cv2.COLOR_GRAY2BGR), np.uint8),
        (there, (left + aside, top, right + aside, bottom)),
    )


def asked(change: Change) -> list[int]:
    return [index for index, face in enumerate(change.faces) if face.crop is not None]


def tracks(change: Change) -> list[str]:
    return [face.track for face in change.faces]


def test_at_the_first_look_everybody_is_asked_about() -> None:
    change = Meeting().look(0, 1, 2)
    assert (change.trigger, asked(change)) == ("headcount", [0, 1, 2])
    assert len(set(tracks(change))) == 3


def test_when_nothing_changes_nobody_is_asked_about() -> None:
    meeting = Meeting()
    first = meeting.look(0, 1, 2)
    for _ in range(5):
        change = meeting.look(0, 1, 2)
        assert (change.trigger, asked(change), tracks(change)) == ("none", [], tracks(first))


def test_who_joins_is_asked_about_and_the_others_are_not_although_their_tiles_moved() -> None:
    meeting = Meeting()
    before = tracks(meeting.look(0, 1, 2, 3))
    change = meeting.look(0, 1, 4, 2, 3)  # five tiles: another grid, other places, another size
    assert (change.trigger, asked(change)) == ("headcount", [2])
    assert [track for index, track in enumerate(tracks(change)) if index != 2] == before


def test_who_leaves_costs_nothing() -> None:
    meeting = Meeting()
    before = tracks(meeting.look(0, 1, 2, 3, 4))
    change = meeting.look(0, 1, 3, 4)
    assert (change.trigger, asked(change)) == ("headcount", [])
    assert tracks(change) == [before[0], before[1], before[3], before[4]]


def test_a_swap_before_the_same_background_at_an_equal_headcount_is_caught() -> None:
    meeting = Meeting()
    before = tracks(meeting.look(0, 6, 2))
    change = meeting.look(0, 7, 2, rooms=(0, 6, 2))
    assert (change.trigger, asked(change)) == ("tile", [1])
    assert [face.succeeds for face in change.faces] == [None, before[1], None]


def test_a_pose_found_to_be_the_same_persons_is_known_from_then_on() -> None:
    meeting = Meeting()
    before = tracks(meeting.look(0, 6, 2))
    turned = tracks(meeting.look(0, 7, 2, rooms=(0, 6, 2)))  # another cast member stands for another pose
    back = meeting.look(0, 6, 2, continues={turned[1]: before[1]})
    assert (back.trigger, asked(back)) == ("none", [])
    assert tracks(back)[1] == turned[1]
    again = meeting.look(0, 7, 2, rooms=(0, 6, 2))
    assert (again.trigger, asked(again)) == ("none", [])


def test_who_comes_back_after_somebody_else_is_asked_about_again() -> None:
    meeting = Meeting()
    meeting.look(0, 6, 2)
    meeting.look(0, 7, 2, rooms=(0, 6, 2))
    meeting.look(0, 7, 2, rooms=(0, 6, 2))
    meeting.look(0, 7, 2, rooms=(0, 6, 2))
    assert asked(meeting.look(0, 6, 2)) == [1]


@pytest.mark.parametrize(
    ("named_before", "known"),
    [
        ("Ann", True),
        ("Bob", False),  # the recogniser took one for the other
        (None, False),  # it had not made up its mind
    ],
)
def test_who_is_found_to_be_somebody_forgotten_is_known_in_all_poses_if_the_name_is_the_same(
    named_before: str | None, known: bool
) -> None:
    meeting = Meeting()
    before = tracks(meeting.look(0, 6, 2))
    names = {} if named_before is None else {before[1]: named_before}
    meeting.look(0, 2, names=names)
    for _ in range(3):
        meeting.look(0, 2)
    back = tracks(meeting.look(0, 7, 2, rooms=(0, 6, 2)))  # another cast member stands for another pose
    again = meeting.look(0, 6, 2, continues={back[1]: before[1]}, names={back[1]: "Ann"})
    assert (asked(again) == []) == known


def test_poses_a_little_alike_do_not_drive_each_other_out() -> None:
    face, other, noise = (textured(seed) for seed in (1, 2, 3))
    alike = face + 0.52 * noise
    nearly = face - 0.12 * noise
    looks: list[Gray] = [picture(one) for one in (face, alike, other, nearly)]
    box = (120, 40, 216, 136)
    tile = (0, 0, 320, 180)
    detector = ChangeDetector(0.0, Random(1))
    first, second, third = (
        detector.compare(seen_at(one, tile, box), f"{number:018d}", None)
        for number, one in enumerate(looks[:3])
    )
    assert (asked(first), asked(second), asked(third)) == ([0], [], [0])
    receipt = Receipt("u", 1, 0, 0, {}, frozenset(), {tracks(third)[0]: tracks(first)[0]})
    assert asked(detector.compare(seen_at(looks[3], tile, box), "3" * 18, receipt)) == []


@pytest.mark.parametrize("grown", [-14, 14])
def test_a_head_boxed_larger_or_smaller_in_another_place_is_the_same(grown: int) -> None:
    before = seen_at(picture(textured(1)), (0, 0, 320, 180), (120, 40, 216, 136))
    box = (120 - grown // 2, 40 - grown // 2, 216 + grown // 2, 136 + grown // 2)
    for seed, expected in ((1, []), (2, [0])):
        detector = ChangeDetector(0.0, Random(1))
        detector.compare(before, "0" * 18, None)
        after = seen_at(picture(textured(seed)), (0, 0, 320, 180), box, aside=400)
        assert asked(detector.compare(after, "1" * 18, None)) == expected


def test_a_wanted_face_is_shown_again() -> None:
    meeting = Meeting()
    first = meeting.look(0, 1)
    change = meeting.look(0, 1, wanted=frozenset({tracks(first)[1]}))
    assert (change.trigger, asked(change), tracks(change)) == ("unsettled", [1], tracks(first))


def test_a_wanted_face_is_said_to_repeat_the_pose_it_was_asked_about_in() -> None:
    face, noise = textured(1), textured(3)
    tile, box = (0, 0, 320, 180), (120, 40, 216, 136)
    detector = ChangeDetector(0.0, Random(1))
    receipt, said = None, []
    for number, shown in enumerate((face, face + 0.1 * noise, face + 0.52 * noise, face + 0.52 * noise)):
        change = detector.compare(seen_at(picture(shown), tile, box), f"{number:018d}", receipt)
        said.append(change.faces[0].repeats)
        receipt = Receipt("u", 1, 0, 0, {}, frozenset(tracks(change)))
        assert asked(change) == [0]
    assert said == [False, True, False, True]


def test_a_pose_that_nobody_was_asked_about_is_no_repeated_one() -> None:
    face, alike = textured(1), textured(1) + 0.52 * textured(3)
    tile, box = (0, 0, 320, 180), (120, 40, 216, 136)
    detector = ChangeDetector(0.0, Random(1))
    first = detector.compare(seen_at(picture(face), tile, box), "0" * 18, None)
    wanted = Receipt("u", 1, 0, 0, {}, frozenset(tracks(first)))
    nobody = Receipt("u", 1, 0, 0)  # as after a look at which the face was missed
    assert asked(detector.compare(seen_at(picture(alike), tile, box), "1" * 18, nobody)) == []
    again = detector.compare(seen_at(picture(alike), tile, box), "2" * 18, wanted)
    assert (asked(again), again.faces[0].repeats) == ([0], False)


def test_a_face_missed_at_one_look_is_the_same_occupant_at_the_next() -> None:
    meeting = Meeting()
    first = meeting.look(0, 1, 2)
    meeting.look(0, 2)
    assert tracks(meeting.look(0, 1, 2)) == tracks(first)


def test_who_was_gone_for_long_is_asked_about_again() -> None:
    meeting = Meeting()
    first = meeting.look(0, 1, 2)
    for _ in range(4):
        meeting.look(0, 2)
    change = meeting.look(0, 1, 2)
    assert asked(change) == [1]
    assert tracks(change)[1] != tracks(first)[1]


def test_spot_checks_ask_about_unchanged_faces_and_say_so() -> None:
    meeting = Meeting(spot_check=1.0)
    meeting.look(0, 1)
    change = meeting.look(0, 1)
    assert change.trigger == "spot"
    assert [face.spot_check for face in change.faces] == [True, True]


@pytest.mark.parametrize("box", [(0, 0, 40, 40), (260, 140, 300, 160), (100, 50, 160, 110)])
def test_a_cut_face_lies_within_its_crop_and_owns_its_pixels(box: tuple[int, int, int, int]) -> None:
    image = np.zeros((160, 300, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 200
    crop = cut_face(image, Head((0, 0, 300, 160), box))
    image[:] = 0
    left, top, right, bottom = crop.box_xyxy
    assert (crop.image[top:bottom, left:right] == 200).all()
    assert (crop.image == 200).sum() == 3 * (x2 - x1) * (y2 - y1)
