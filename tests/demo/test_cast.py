"""The cast must be people that a real detector finds and a real embedding tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from demo.cast import CAST, STRANGER, Person, portrait
from demo.casting import Candidate, Judge
from demo.face import Pose, draw_bust, face_from_seed
from demo.gallery import Seat, draw_gallery, layout

EVERYBODY = (*CAST, STRANGER)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def known(judge: Judge) -> list[Candidate]:
    """Everybody's photograph, and one look at each in a full class; the stranger takes the first seat."""
    seats = [Seat(p, p.name, backdrop_seed=i) for i, p in enumerate(CAST)]
    boxes = layout(len(seats))
    x1, y1, x2, y2 = boxes[0]
    picture = draw_gallery(seats, at_s=12.3)
    tiles = [picture[top:bottom, left:right] for left, top, right, bottom in boxes]
    tiles.append(draw_gallery([Seat(STRANGER, "Guest"), *seats[1:]], at_s=12.3)[y1:y2, x1:x2])
    found: list[Candidate] = []
    for person, tile in zip(EVERYBODY, tiles, strict=True):
        photograph = portrait(person)
        enrolled = judge.embedding(photograph, judge.faces(photograph)[0])
        seen = judge.embedding(tile, judge.heads(tile)[0])
        found.append(Candidate(person.seed, enrolled, seen[None]))
    return found


def test_sixteen_students_have_their_own_numbers_names_addresses_and_faces() -> None:
    assert len(CAST) == 16
    for part in ("student_no", "name", "email", "seed"):
        assert len({getattr(p, part) for p in EVERYBODY}) == 17
    assert STRANGER.student_no == ""
    assert all(p.email.endswith("@campus.example") and p.name.isascii() for p in CAST)


def test_each_photograph_shows_exactly_one_face_to_both_detectors(judge: Judge) -> None:
    for person in EVERYBODY:
        photograph = portrait(person)
        assert len(judge.faces(photograph)) == 1, person.name
        assert judge.faces_by_hog(photograph) == 1, person.name


def test_everybody_in_class_looks_like_their_own_photograph(known: list[Candidate]) -> None:
    for one in known:
        assert np.linalg.norm(one.seen[0] - one.enrolled) < 0.40, one.seed


def test_nobody_in_class_looks_like_another_persons_photograph(known: list[Candidate]) -> None:
    for one in known:
        for other in known:
            if one is not other:
                assert np.linalg.norm(one.seen[0] - other.enrolled) > 0.55, (one.seed, other.seed)
                assert np.linalg.norm(one.enrolled - other.enrolled) > 0.55, (one.seed, other.seed)


def test_a_photograph_keeps_the_height_asked_for_and_is_the_same_each_time() -> None:
    person = CAST[0]
    photograph = portrait(person, height_px=320)
    assert photograph.shape == (320, 256, 3)
    assert photograph.dtype == np.uint8
    portrait.cache_clear()
    assert np.array_equal(photograph, portrait(person, height_px=320))


@pytest.mark.parametrize(
    "pose",
    [
        Pose(yaw=8),  # turned
        Pose(pitch=5, roll=-4),  # nodding
        Pose(blink=1),  # eyes closed
        Pose(mouth=1),  # speaking
        Pose(light=0.9),  # lit from the other side
    ],
)
def test_a_pose_changes_the_bust_but_not_its_size(pose: Pose) -> None:
    face = face_from_seed(CAST[1].seed)
    plain, posed = draw_bust(face, Pose(), 200), draw_bust(face, pose, 200)
    assert posed.shape == plain.shape == (200, 200, 4)
    assert posed.dtype == np.uint8
    assert not np.array_equal(plain, posed)


def test_the_same_seed_gives_the_same_face_and_another_seed_another() -> None:
    assert face_from_seed(7) == face_from_seed(7)
    assert face_from_seed(7) != face_from_seed(8)


def test_someone_without_an_enrolment_can_be_made_up() -> None:
    visitor = Person("", "Visitor", "", seed=CAST[2].seed)
    assert np.array_equal(portrait(visitor, 200), portrait(CAST[2], 200))
