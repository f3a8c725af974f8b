"""Faces that staff judged, honoured wherever they turn up again: who it is not, and who is a guest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from db.judgements import KnownFace
from db.tracks import IS_STUDENT, Tracks
from recognizer.decision import Policy, Verdict
from recognizer.likeness import Likeness
from recognizer.local import similarity_pct

__all__ = ["Judged"]


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts that bear on one session. `tracks`: those made in it; `faces`: those with a face to be
    known again; `policy`: the local engine's, which compares them."""

    tracks: Tracks
    faces: Sequence[KnownFace]
    policy: Policy

    def allowed(
        self, person: str, likeness: Likeness, scores: Mapping[int, float], policy: Policy
    ) -> dict[int, float]:
        """The scores without the students that, as staff said, this face is not. `policy`: of the engine that scored.

        A face counts as the one judged when it resembles that at least as much as the student it is not: the student's
        own face is never lost by their lookalike's verdict.
        """
        ruled, excluded = self.tracks.ruling(person)
        if ruled is not None and ruled.verdict != IS_STUDENT:
            return {}
        refused = set(excluded)
        for face in self.faces:
            student = face.student_id
            if student is None or student not in scores:
                continue
            own = self.policy.match_pct + scores[student] - policy.match_pct
            if _alike(likeness, face) >= max(self.policy.match_pct, own):
                refused.add(student)
        return {student: score for student, score in scores.items() if student not in refused}

    def guest(self, likeness: Likeness, scores: Mapping[int, float]) -> tuple[Verdict, str] | None:
        """The guest this face is, with the evidence a student's name needs; None: no guest."""
        found = [(_alike(likeness, face), face.name) for face in self.faces if face.student_id is None]
        alike, name = max(found, default=(0.0, ""))
        clear = alike >= self.policy.match_pct and alike - max(scores.values(), default=0.0) > 0
        if clear and (likeness.views >= 2 or alike >= self.policy.sure_pct):
            return Verdict("guest", None, alike, None, None), name
        return None


def _alike(likeness: Likeness, face: KnownFace) -> float:
    cosine = likeness.resembles(Likeness.from_bytes(face.template))
    return float(similarity_pct(np.asarray(cosine)))
