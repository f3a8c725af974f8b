"""When a resemblance becomes a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

__all__ = ["Policy", "Verdict", "assign", "decide"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The thresholds, in percent of similarity; see `db.settings` for their meaning."""

    match_pct: float
    weak_pct: float
    margin_pct: float
    sure_pct: float
    max_looks: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """A conclusion about a tracked face. `verdict`: `named`, `pending`, `doubtful` or `unknown` (see `db.rules`)."""

    verdict: str
    student_id: int | None
    similarity_pct: float | None
    runner_up_id: int | None
    runner_up_pct: float | None


def assign(scores: Sequence[Mapping[int, float]], weak_pct: float) -> list[int | None]:
    """Give each face at most one student and each student at most one face, with the largest total similarity.

    `scores`: per face, similarity in percent by student. What is below `weak_pct` does not count: else a face nobody
    resembles could take a student away from the face that is theirs. Jonker-Volgenant through SciPy.
    """
    students = sorted({student for face in scores for student in face})
    if not scores or not students:
        return [None] * len(scores)
    matrix = np.array([[face.get(student, 0.0) for student in students] for face in scores])
    matrix[matrix < weak_pct] = 0.0
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    chosen: list[int | None] = [None] * len(scores)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if matrix[row, column] > 0:
            chosen[row] = students[column]
    return chosen


def decide(scores: Mapping[int, float], chosen: int | None, looks: int, policy: Policy) -> Verdict:
    """Conclude from one face's similarity to each student of the roster.

    `chosen`: the student the assignment left to this face, None where nobody plausible was left. `looks`: how many
    looks are averaged in the scores. One look alone names nobody unless it is sure; a face nobody resembles stays
    unknown.
    """
    best = (
        max(scores, key=lambda student: (scores[student], -student), default=None)
        if chosen is None
        else chosen
    )
    if best is None:
        return Verdict("pending" if looks < policy.max_looks else "unknown", None, None, None, None)
    similarity = scores[best]
    runner_up_pct, runner_up = max(
        ((value, -student) for student, value in scores.items() if student != best), default=(None, None)
    )
    clear = similarity >= policy.match_pct and similarity - (runner_up_pct or 0.0) >= policy.margin_pct
    if chosen is not None and clear and (looks >= 2 or similarity >= policy.sure_pct):
        verdict = "named"
    elif looks < policy.max_looks:
        verdict = "pending"
    else:
        verdict = "unknown" if chosen is None else "doubtful"
    return Verdict(verdict, chosen, similarity, None if runner_up is None else -runner_up, runner_up_pct)
