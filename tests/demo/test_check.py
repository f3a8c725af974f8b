"""The demo's judge: it must find a right ledger right, and each kind of mistake."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from db.report import LookLine, ReviewLine, SessionLine, SessionReport, StudentLine
from db.rules import Interval
from demo.cast import CAST
from demo.check import compare
from demo.script import LESSON
from tests.conftest import START

GAP_S = 30
MOMENTS = [START + timedelta(seconds=second) for second in range(5, 45 * 60 + 1, GAP_S)]


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def stay(from_s: float, to_s: float) -> Interval:
    """What looks half a minute apart make of a true stay."""
    seen = [look for look in MOMENTS if moment(from_s) <= look < moment(to_s)]
    before = [look for look in MOMENTS if look < seen[0]]
    after = [look for look in MOMENTS if look > seen[-1]]
    return Interval(seen[0], seen[-1], before[-1] if before else None, after[0] if after else None)


def right_report() -> SessionReport:
    students = tuple(
        StudentLine(
            number,
            number,
            truth.status,
            None,
            None,
            None,
            None,
            0.0,
            None,
            "system",
            tuple(stay(*span) for span in truth.seen),
        )
        for number, truth in LESSON.truth.items()
    )
    looks = []
    for look in MOMENTS:
        heads = sum(seat.camera_on for seat in LESSON.seats((look - START).total_seconds()))
        unknown = int(moment(LESSON.stranger_s[0]) <= look < moment(LESSON.stranger_s[1]))
        swapped = timedelta() <= look - moment(LESSON.swap_s) < timedelta(seconds=GAP_S)
        looks.append(
            LookLine(look, "tile" if swapped else "none", heads, heads - unknown, unknown, int(swapped), 0)
        )
    session = SessionLine(1, "BIO", "Cells", "UTC", START, moment(45 * 60), len(students), len(looks), 14, 1)
    return SessionReport(
        session, students, tuple(looks), (ReviewLine("unknown_face", None, None, START, "open"),)
    )


def with_student(number: str, **changes: object) -> Callable[[SessionReport], SessionReport]:
    def change(report: SessionReport) -> SessionReport:
        students = (
            replace(line, **changes) if line.student_no == number else line  # type: ignore[arg-type]
            for line in report.students
        )
        return replace(report, students=tuple(students))

    return change


def without_swap(report: SessionReport) -> SessionReport:
    return replace(report, looks=tuple(replace(look, trigger="none", searches=0) for look in report.looks))


def invented(report: SessionReport) -> SessionReport:
    return replace(
        report, students=(*report.students, replace(report.students[0], student_no="X", name="Nobody"))
    )


def known_stranger(report: SessionReport) -> SessionReport:
    looks = tuple(replace(look, identified=look.headcount, unknown=0) for look in report.looks)
    return replace(report, looks=looks)


PRESENT, ABSENT, REJOINS = CAST[0].student_no, CAST[13].student_no, CAST[5].student_no


def test_a_right_ledger_is_found_right() -> None:
    outcome = compare(right_report(), LESSON)
    assert outcome.problems == ()
    assert (outcome.right, outcome.students) == (16, 16)
    assert all(0 <= error <= GAP_S for error in outcome.join_errors_s)
    assert outcome.line.startswith("students right: 16 / 16 · median join error: ")


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (with_student(PRESENT, status="late"), "is late, should be present"),
        (with_student(ABSENT, intervals=(stay(60, 600),)), "has 1 stays, should have 0"),
        (with_student(REJOINS, intervals=(stay(0, 2700),)), "has 1 stays, should have 2"),
        (with_student(CAST[3].student_no, intervals=(stay(600, 2760),)), "came at 09:14:20, stamped between"),
        (
            with_student(CAST[15].student_no, intervals=(stay(-120, 2000),)),
            "left at 09:31:13, stamped between",
        ),
        (with_student(PRESENT, intervals=(stay(0, 2000),)), "stayed to the end"),
        (with_student(PRESENT, intervals=(stay(100, 2760),)), "was there from the start"),
        (invented, "is in the ledger but not in the class"),
        (lambda report: replace(report, students=report.students[1:]), "is missing from the ledger"),
        (lambda report: replace(report, reviews=()), "should be the one review"),
        (known_stranger, "has 0 unknown heads, should have 1"),
        (without_swap, "the swap at 09:22:07 was not caught"),
    ],
)
def test_each_kind_of_mistake_is_found(spoil: Callable[[SessionReport], SessionReport], problem: str) -> None:
    problems = compare(spoil(right_report()), LESSON).problems
    assert any(problem in found for found in problems), problems
