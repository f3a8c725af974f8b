from dataclasses import replace

import pytest

from recognizer.decision import Policy, assign, decide

POLICY = Policy(match_pct=90, weak_pct=80, margin_pct=5, sure_pct=95, max_looks=4)


@pytest.mark.parametrize(
    ("scores", "looks", "verdict", "student"),
    [
        ({1: 97.0, 2: 40.0}, 1, "named", 1),  # sure at the first look
        ({1: 92.0, 2: 40.0}, 1, "pending", 1),  # good, but one look alone names nobody
        ({1: 92.0, 2: 40.0}, 2, "named", 1),
        ({1: 92.0, 2: 89.0}, 2, "pending", 1),  # the runner-up is too near
        ({1: 92.0, 2: 89.0}, 4, "doubtful", 1),
        ({1: 85.0, 2: 40.0}, 4, "doubtful", 1),
        ({1: 92.0}, 2, "named", 1),  # a roster of one has no runner-up
    ],
)
def test_a_resemblance_becomes_a_name_only_when_it_is_clear(
    scores: dict[int, float], looks: int, verdict: str, student: int | None
) -> None:
    decided = decide(scores, 1, looks, looks, POLICY)
    assert (decided.verdict, decided.student_id) == (verdict, student)


@pytest.mark.parametrize(
    ("candidates", "match_pct"), [(28, 90), (14, 89), (7, 88), (56, 91), (1, 87), (0, 87), (10_000, 93)]
)
def test_the_fewer_could_be_meant_the_less_likeness_it_takes(candidates: int, match_pct: float) -> None:
    assert replace(POLICY, halving_pct=1.0).among(candidates).match_pct == pytest.approx(match_pct)
    assert POLICY.among(candidates) == POLICY  # of an engine of which that is not known


@pytest.mark.parametrize(("looks", "verdict"), [(1, "pending"), (4, "unknown")])
@pytest.mark.parametrize("scores", [{}, {1: 60.0}, {1: 97.0}])
def test_a_face_that_no_student_is_left_for_stays_unknown(
    scores: dict[int, float], looks: int, verdict: str
) -> None:
    decided = decide(scores, None, looks, looks, POLICY)
    assert (decided.verdict, decided.student_id) == (verdict, None)
    assert decided.similarity_pct == scores.get(1)


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        (
            [{1: 97.0, 2: 50.0}, {1: 92.0, 2: 10.0}],
            [1, None],
        ),  # both resemble 1: the better one gets the name
        (
            [{1: 96.0, 2: 95.0}, {1: 96.0, 2: 20.0}],
            [2, 1],
        ),  # greedily, the second face would be left with nobody
        ([{1: 97.0, 2: 60.0}, {1: 50.0, 2: 40.0}], [1, None]),  # a stranger takes nobody's name away
        ([{1: 90.0}, {1: 95.0}], [None, 1]),  # more faces than students
        ([{}, {}], [None, None]),
        ([], []),
    ],
)
def test_each_student_goes_to_at_most_one_face(
    scores: list[dict[int, float]], chosen: list[int | None]
) -> None:
    assert assign(scores, POLICY.weak_pct) == chosen


def test_a_face_whose_best_student_went_to_another_face_is_not_named() -> None:
    assert decide({1: 97.0, 2: 91.0}, 2, 2, 2, POLICY).verdict == "pending"
