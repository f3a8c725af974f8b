"""Who is meant by a new track, with vectors whose angles are chosen."""

from dataclasses import replace

import numpy as np
import pytest

from recognizer.decision import Verdict
from recognizer.embedding import DIMENSIONS, Vector
from recognizer.likeness import Likeness
from recognizer.memory import Remembered
from recognizer.observation import FaceCrop, SeenFace
from recognizer.reunion import Question, found_again, joined, known_again
from tests.conftest import START

CROP = FaceCrop(np.zeros((9, 9, 3), np.uint8), (1, 1, 8, 8))


def at_cosine(cosine: float) -> Vector:
    """A vector at this cosine from the first axis."""
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[:2] = cosine, np.sqrt(1 - cosine**2)
    return vector


def remembered(track: str, verdict: str, student: int | None, likeliest: int | None = None) -> Remembered:
    return Remembered(
        track=track,
        person=track,
        verdict=verdict,
        student_id=student,
        likeliest_id=student if likeliest is None else likeliest,
        similarity_pct=90.0,
        runner_up_id=None,
        runner_up_pct=None,
        face_id=None,
        engine="local",
        model="m",
        asked=1,
        likeness=Likeness.of(at_cosine(1.0)),
        template=None,
        threshold_pct=91.0,
        concluded_at=START,
    )


def question(cosine: float, succeeds: str | None = None) -> Question:
    return Question(
        SeenFace("new", (0, 0, 9, 9), (1, 1, 8, 8), CROP, succeeds=succeeds), CROP, at_cosine(cosine), "new"
    )


@pytest.mark.parametrize(
    ("cosine", "succeeds", "lately", "known"),
    [
        (0.93, "old", True, True),  # another pose of who sat there
        (0.91, "old", True, False),  # somebody else sat down
        (0.93, None, True, False),  # elsewhere, that is not enough
        (0.95, None, True, True),  # elsewhere, but very much alike
        (0.95, None, False, False),  # not seen at the look before: somebody else may have come
        (0.96, None, False, True),  # back again
    ],
)
@pytest.mark.parametrize("verdict", ["named", "unknown"])
def test_people_are_known_again_by_likeness_more_easily_where_they_sat_and_if_just_seen(
    cosine: float, succeeds: str | None, lately: bool, known: bool, verdict: str
) -> None:
    old = remembered("old", verdict, 1)
    seen = {"old"} if lately else set()
    (found,) = known_again([question(cosine, succeeds)], {"old": old}, [old], seen)
    assert (found.person, found.continues) == (("old", "old") if known else ("new", None))


def test_everybody_is_found_at_most_once_where_they_are_most_alike() -> None:
    old = remembered("old", "named", 1)
    first, second = known_again([question(0.96), question(0.985)], {}, [old], {"old"})
    assert (first.person, second.person) == ("new", "old")


@pytest.mark.parametrize(
    ("cosine", "score", "verdict", "lately", "together"),
    [
        (0.91, {1: 60.0, 2: 20.0}, "pending", True, True),  # both are like student 1 most
        (0.91, {1: 20.0, 2: 60.0}, "pending", True, False),  # the new one is more like student 2
        (0.91, {1: 40.0}, "pending", True, False),  # too little like anybody
        (0.88, {1: 60.0}, "pending", True, False),  # too little like each other
        (0.91, {1: 60.0}, "named", True, False),  # a name is not lent on so little
        (0.91, {1: 60.0}, "pending", False, False),  # away for longer: somebody else may resemble 1 too
        (0.96, {1: 60.0}, "pending", False, True),
    ],
)
def test_looks_at_somebody_not_named_yet_are_gathered_when_both_resemble_one_student(
    cosine: float, score: dict[int, float], verdict: str, lately: bool, together: bool
) -> None:
    old = remembered("old", verdict, None, likeliest=1)
    found = joined(question(cosine), score, [old], {"old"} if lately else ())
    assert (found is not None and found.person == "old" and found.likeness.looks == 2) is together


def test_looks_are_not_gathered_with_somebody_else_who_is_like_a_student_named_before() -> None:
    old, student = remembered("old", "pending", None, likeliest=1), remembered("student", "named", 1)
    lately = {"old", "student"}
    assert joined(question(0.91), {1: 60.0}, [old], lately) is not None
    assert joined(question(0.91), {1: 60.0}, [old, student], lately) is None
    assert joined(question(0.91), {1: 60.0}, [old, replace(student, student_id=2)], lately) is not None


def test_a_name_joins_what_was_known_of_the_student_under_another_track() -> None:
    old = remembered("old", "named", 1)
    named = Verdict("named", 1, 96.0, None, None)
    assert found_again(question(0.5), named, [old], ()).person == "old"
    assert found_again(question(0.5), replace(named, student_id=2), [old], ()).person == "new"
    assert found_again(question(0.5), replace(named, verdict="pending"), [old], ()).person == "new"


def test_a_name_joins_whoever_was_likest_that_student_and_sits_nowhere_now() -> None:
    likely, other = remembered("likely", "pending", 1), remembered("other", "pending", None, likeliest=1)
    named = Verdict("named", 1, 96.0, None, None)
    lately = {"likely", "other"}
    assert found_again(question(0.91), named, [other, likely], lately).continues == "likely"
    assert found_again(question(0.89), named, [likely], lately).person == "new"  # a lookalike who left
    assert found_again(question(0.91), named, [likely], ()).person == "new"  # long ago, that is not enough
    assert found_again(question(0.96), named, [likely], ()).person == "likely"
    assert found_again(question(0.91), named, [other], lately).person == "new"  # not enough for a doubt
    assert found_again(question(0.91), named, [likely, remembered("old", "named", 1)], lately).person == "old"
    before = replace(question(0.91), before=remembered("new", "pending", 1))  # may have been seen beside them
    assert found_again(before, named, [likely], lately).continues is None
