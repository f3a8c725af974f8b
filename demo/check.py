"""Holds the ledger against the script's truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from db.report import LookLine, SessionReport, StudentLine
from db.rules import Interval
from demo.script import Lesson, Truth

__all__ = ["Outcome", "compare"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How right the ledger is. `problems`: one sentence each; empty when all is right.

    `join_errors_s`: how much later than the true moment each join was stamped, seconds. `spent`: recognitions;
    `every_look`: what recognising every head at every look would have taken.
    """

    right: int
    students: int
    join_errors_s: tuple[float, ...]
    spent: int
    every_look: int
    problems: tuple[str, ...]

    @property
    def line(self) -> str:
        error = f"{median(self.join_errors_s):.1f} s" if self.join_errors_s else "none"
        return (
            f"students right: {self.right} / {self.students} · median join error: {error} · "
            f"recognitions: {self.spent} instead of {self.every_look}"
        )


def compare(report: SessionReport, lesson: Lesson) -> Outcome:
    """Every status, every join and leave, nobody invented, the stranger unknown, the swap caught."""
    start = report.session.starts_at
    problems: list[str] = []
    join_errors: list[float] = []
    right = 0
    for line in report.students:
        truth = lesson.truth.get(line.student_no)
        found = (
            [f"{line.name} is in the ledger but not in the class"]
            if truth is None
            else _wrong(line, truth, start, start + timedelta(minutes=lesson.minutes), join_errors)
        )
        right += not found
        problems += found
    missing = lesson.truth.keys() - {line.student_no for line in report.students}
    problems += [f"student {number} is missing from the ledger" for number in sorted(missing)]
    problems += _stranger(report, lesson, start) + _swap(
        report.looks, start + timedelta(seconds=lesson.swap_s)
    )
    return Outcome(
        right=right,
        students=len(lesson.truth),
        join_errors_s=tuple(join_errors),
        spent=sum(look.searches for look in report.looks),
        every_look=sum(look.headcount for look in report.looks),
        problems=tuple(problems),
    )


def _wrong(
    line: StudentLine, truth: Truth, start: datetime, end: datetime, join_errors: list[float]
) -> list[str]:
    problems = []
    if line.status != truth.status:
        problems.append(f"{line.name} is {line.status}, should be {truth.status}")
    if len(line.intervals) != len(truth.seen):
        problems.append(f"{line.name} has {len(line.intervals)} stays, should have {len(truth.seen)}")
        return problems
    for stay, (from_s, to_s) in zip(line.intervals, truth.seen, strict=True):
        came, left = start + timedelta(seconds=from_s), start + timedelta(seconds=to_s)
        if came > start:
            join_errors.append((stay.seen_from - came).total_seconds())
        problems += _outside(line.name, stay, came, left, start, end)
    return problems


def _outside(
    name: str, stay: Interval, came: datetime, left: datetime, start: datetime, end: datetime
) -> list[str]:
    """The true moments must lie between the looks around them; what happens outside the lesson has no look before."""
    problems = []
    if not (stay.not_before or min(came, start)) <= came <= stay.seen_from and came > start:
        problems.append(
            f"{name} came at {came:%H:%M:%S}, stamped between {stay.not_before} and {stay.seen_from}"
        )
    if came <= start and stay.not_before is not None:
        problems.append(f"{name} was there from the start, stamped {stay.seen_from:%H:%M:%S}")
    if left < end and not stay.seen_to <= left <= (stay.not_after or end):
        problems.append(
            f"{name} left at {left:%H:%M:%S}, stamped between {stay.seen_to} and {stay.not_after}"
        )
    if left >= end and stay.not_after is not None:
        problems.append(f"{name} stayed to the end, stamped {stay.seen_to:%H:%M:%S}")
    return problems


def _stranger(report: SessionReport, lesson: Lesson, start: datetime) -> list[str]:
    came, left = (start + timedelta(seconds=moment) for moment in lesson.stranger_s)
    problems = [
        f"look at {look.taken_at:%H:%M:%S} has {look.unknown} unknown heads, should have {wanted}"
        for look in report.looks
        if look.unknown != (wanted := int(came <= look.taken_at < left))
    ]
    if [review.kind for review in report.reviews] != ["unknown_face"]:
        problems.append(f"the stranger should be the one review, found {[r.kind for r in report.reviews]}")
    return problems


def _swap(looks: Sequence[LookLine], swap_at: datetime) -> list[str]:
    for before, after in pairwise(looks):
        if before.taken_at < swap_at <= after.taken_at:
            if before.headcount != after.headcount:
                return [
                    f"the swap was to happen at an equal headcount, not {before.headcount} to {after.headcount}"
                ]
            caught = after.trigger == "tile" and after.searches > 0
            return [] if caught else [f"the swap at {swap_at:%H:%M:%S} was not caught"]
    return ["no look lies after the swap"]
