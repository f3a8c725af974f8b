"""What an entry rests on: each conclusion that gave a student their name at a session, and the crop behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from db.schema import EvidenceRow, JudgementRow, LookRow, NamingRow, Student
from db.tracks import DOUBTFUL, IS_STUDENT, NAMED

__all__ = ["MOST", "Clue", "clues_of"]

MOST = 24
"""Of a student who is asked about again and again, no more conclusions are shown."""


@dataclass(frozen=True, slots=True)
class Clue:
    """A conclusion about a face that counts as a student. Fields as in `NamingRow`; `track` says which tile.

    `likely`: the name the machine had for it, None for nobody's. `by_staff`: staff said that this tile is the student's.
    `evidence_id`, `keep_until`: of the crop; None where it is not kept (any more).
    """

    look_id: int
    taken_at: datetime
    track: str
    verdict: str
    likely: str | None
    similarity_pct: float | None
    runner_up: str | None
    runner_up_pct: float | None
    threshold_pct: float
    margin_pct: float | None
    looks: int
    engine: str
    model: str
    evidence_id: int | None
    keep_until: datetime | None
    by_staff: bool


def clues_of(session: Session, session_id: int, student_no: str, limit: int = MOST) -> list[Clue]:
    """The conclusions about a student in order of time, the first `limit`: by the machine's name, or by staff's word."""
    row, likely, rival = NamingRow, aliased(Student), aliased(Student)
    student_id = select(Student.id).where(Student.student_no == student_no).scalar_subquery()
    by_staff = select(JudgementRow.subject).where(
        JudgementRow.session_id == session_id,
        JudgementRow.verdict == IS_STUDENT,
        JudgementRow.student_id == student_id,
    )
    kept = and_(EvidenceRow.look_id == row.look_id, EvidenceRow.track == row.track)
    query = (
        select(
            *(row.look_id, LookRow.taken_at, row.track, row.verdict, likely.name, row.similarity_pct),
            *(rival.name, row.runner_up_pct, row.threshold_pct, row.margin_pct, row.looks),
            *(row.engine, row.model, EvidenceRow.id, EvidenceRow.keep_until, row.track.in_(by_staff)),
        )
        .join(LookRow, LookRow.id == row.look_id)
        .outerjoin(EvidenceRow, kept)
        .outerjoin(likely, likely.id == row.student_id)
        .outerjoin(rival, rival.id == row.runner_up_id)
        .where(
            LookRow.session_id == session_id,
            or_(
                and_(row.student_id == student_id, row.verdict.in_((NAMED, DOUBTFUL))),
                row.track.in_(by_staff),
            ),
        )
        .order_by(LookRow.taken_at, row.id)
        .limit(limit)
    )
    found: Sequence[Any] = session.execute(query).all()
    return [Clue(*one) for one in found]
