"""The accuracy sheet's figures, on meetings made by hand."""

import pytest

from bench.figures import figures
from bench.play import Outcome, Played, SeenFace, SeenLook


def look(at_s: float, heads: dict[str, str | None], headcount: int | None = None, dark: int = 0) -> SeenLook:
    """`heads`: who is on camera, and the name each was given."""
    faces = tuple(SeenFace(key, name, key) for key, name in heads.items())
    count = len(heads) if headcount is None else headcount
    return SeenLook(at_s, count, tuple(heads), dark, len(heads) + dark, faces, embedded=1, searches=1, paid=0)


def played(*looks: SeenLook, outcomes: tuple[Outcome, ...] = ()) -> Played:
    return Played(1, 5, frozenset({"ann", "ben"}), looks, outcomes, (("unknown_face", None),))


def test_names_are_right_wrong_or_missing() -> None:
    sheet = figures(
        [
            played(
                look(0, {"ann": "ann", "ben": "ann", "guest": None}), look(30, {"ann": None, "guest": "ben"})
            )
        ]
    )
    assert sheet.identified == pytest.approx(1 / 3)
    assert sheet.unnamed == pytest.approx(1 / 3)
    assert sheet.misnamed == pytest.approx(2 / 5)


def test_headcounts_are_compared_with_the_heads_on_camera() -> None:
    sheet = figures([played(look(0, {"ann": None}), look(30, {"ann": None}, 2), look(60, {"ann": None}, 4))])
    assert sheet.exact == pytest.approx(1 / 3)
    assert sheet.within_one == pytest.approx(2 / 3)
    assert sheet.mean_error == pytest.approx(4 / 3)


def test_a_student_is_named_in_time_within_three_looks_of_each_appearance() -> None:
    nobody: dict[str, str | None] = {}
    there: dict[str, str | None] = {"ann": None}
    named: dict[str, str | None] = {"ann": "ann"}
    sheet = figures(
        [
            played(
                *(
                    look(i, heads)
                    for i, heads in enumerate([there, there, named, nobody, there, there, there])
                )
            )
        ]
    )
    assert sheet.named_in_time == 0.5
    assert sheet.appearances == 2
    assert sheet.searches == pytest.approx(7 / 2)


def test_an_absent_student_marked_present_is_counted_and_unverified_is_not() -> None:
    outcomes = (
        Outcome("ann", "late", "absent", 20.0),
        Outcome("ben", "unverified", "absent", None),
        Outcome("cid", "present", "present", -40.0),
    )
    sheet = figures([played(look(0, {"ann": "ann"}), outcomes=outcomes)])
    assert sheet.wrongly_present == 1
    assert sheet.status_right == pytest.approx(1 / 3)
    assert sheet.join_error_95_s == 40.0
