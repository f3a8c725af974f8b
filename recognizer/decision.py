"""When a resemblance becomes a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from db.settings import Settings

Key = TypeVar("Key", int, str)

__all__ = ["Policies", "Policy", "Verdict", "assign", "decide"]


USUAL_CANDIDATES = 28
HALVING_PCT = 1.3
"""Measured between 85 and 92 % on two looks at people outside classes of 28, in tiles of both sizes."""
MOST_PCT = 3.0


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds, in percent of similarity; see `db.settings` for their meaning.

    `halving_pct`: how much higher a similarity half as many wrong people reach; 0 where that is not known. `mirrors`: whether
    the engine sees the mirror images, so that they count as views.
    """

    match_pct: float
    weak_pct: float
    margin_pct: float
    sure_pct: float
    max_looks: int
    halving_pct: float = 0.0
    mirrors: bool = False

    def among(self, candidates: int) -> "Policy":
        """For a face that may be one of so many students, `match_pct` being meant for a class of 28.

        That somebody else passes for *any* of them is then as likely, whether the whole class is still sought or few are.
        """
        halvings = log2(USUAL_CANDIDATES / max(candidates, 1))
        relief = min(max(self.halving_pct * halvings, -MOST_PCT), MOST_PCT)
        return replace(self, match_pct=min(self.match_pct - relief, max(self.match_pct, self.sure_pct)))


class Policies:
    """The thresholds of each engine: similarities of two engines are no common measure."""

    def __init__(self, settings: Settings) -> None:
        self.local = Policy(
            match_pct=settings.match_threshold_pct,
            weak_pct=settings.weak_threshold_pct,
            margin_pct=settings.match_margin_pct,
            sure_pct=settings.sure_threshold_pct,
            max_looks=settings.max_looks_per_face,
            halving_pct=HALVING_PCT,
            mirrors=True,
        )
        self._rekognition = replace(
            self.local,
            halving_pct=0.0,
            mirrors=False,
            match_pct=settings.rekognition_match_threshold_pct,
            weak_pct=settings.rekognition_weak_threshold_pct,
            sure_pct=settings.rekognition_sure_threshold_pct,
        )

    def of(self, engine: str) -> Policy:
        """Those for the answers of an engine."""
        return self._rekognition if engine == "rekognition" else self.local

    def comparable(self, scores: Mapping[int, float], engine: str) -> dict[int, float]:
        """An engine's scores on the local engine's scale: its thresholds on those, straight lines between them."""
        own, local = self.of(engine), self.local
        there = (0.0, own.weak_pct, own.match_pct, own.sure_pct, 100.0)
        here = (0.0, local.weak_pct, local.match_pct, local.sure_pct, 100.0)
        return {student: float(np.interp(percent, there, here)) for student, percent in scores.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A conclusion about a tracked face. `verdict`: `named`, `guest`, `pending`, `doubtful` or `unknown` (see `db.tracks`)."""

    verdict: str
    student_id: int | None
    similarity_pct: float | None
    runner_up_id: int | None
    runner_up_pct: float | None


def assign(scores: Sequence[Mapping[Key, float]], least: float) -> list[Key | None]:
    """Give each face at most one student and each student at most one face, with the largest total similarity.

    `scores`: per face, similarity by student. What is below `least` does not count: else a face nobody resembles could
    take a student away from the face that is theirs. Jonker-Volgenant through SciPy.
    """
    students = sorted({student for face in scores for student in face})
    if not scores or not students:
        return [None] * len(scores)
    matrix = np.array([[face.get(student, 0.0) for student in students] for face in scores])
    matrix[matrix < least] = 0.0
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    chosen: list[Key | None] = [None] * len(scores)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if matrix[row, column] > 0:
            chosen[row] = students[column]
    return chosen


def decide(
    scores: Mapping[int, float], chosen: int | None, views: int, asked: int, policy: Policy
) -> Verdict:
    """Conclude from one face's similarity to each student of the roster.

    `chosen`: the student the assignment left to this face, None where nobody plausible was left. `views`: how many
    different pictures are averaged in the scores, the mirror image of one included, of the `asked` looks at which the question
    was put. One picture alone names nobody unless it is sure; a face nobody resembles stays unknown.
    """
    best = (
        max(scores, key=lambda student: (scores[student], -student), default=None)
        if chosen is None
        else chosen
    )
    if best is None:
        return Verdict("pending" if asked < policy.max_looks else "unknown", None, None, None, None)
    similarity = scores[best]
    runner_up_pct, runner_up = max(
        ((value, -student) for student, value in scores.items() if student != best), default=(None, None)
    )
    clear = similarity >= policy.match_pct and similarity - (runner_up_pct or 0.0) >= policy.margin_pct
    if chosen is not None and clear and (views >= 2 or similarity >= policy.sure_pct):
        verdict = "named"
    elif asked < policy.max_looks:
        verdict = "pending"
    else:
        verdict = "unknown" if chosen is None else "doubtful"
    return Verdict(verdict, chosen, similarity, None if runner_up is None else -runner_up, runner_up_pct)
