"""The crops of a session with what was concluded from them, and whose they are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from db.evidence.claims import batches
from db.schema import EvidenceRow, JudgementRow, LookRow, NamingRow, Student
from db.tracks import GUEST, IS_STUDENT, NAMED

__all__ = ["Exhibit", "exhibits_of", "kept_until", "of_guest", "of_student", "remove_rows"]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A crop and the conclusion it stands for. Fields as in `EvidenceRow` and `NamingRow`; students by number.

    All that came of the naming is None for a crop without one.
    """

    id: int
    taken_at: datetime
    track: str
    student_no: str | None
    verdict: str | None
    similarity_pct: float | None
    runner_up_no: str | None
    runner_up_pct: float | None
    threshold_pct: float | None
    margin_pct: float | None
    engine: str | None
    model: str | None
    bytes: int
    keep_until: datetime


def exhibits_of(session: Session, session_id: int) -> list[Exhibit]:
    """All crops of a session in order of time."""
    likely, rival = aliased(Student), aliased(Student)
    query = (
        select(
            EvidenceRow.id,
            LookRow.taken_at,
            EvidenceRow.track,
            likely.student_no.label("student_no"),
            NamingRow.verdict,
            NamingRow.similarity_pct,
            rival.student_no.label("runner_up_no"),
            NamingRow.runner_up_pct,
            NamingRow.threshold_pct,
            NamingRow.margin_pct,
            NamingRow.engine,
            NamingRow.model,
            EvidenceRow.bytes,
            EvidenceRow.keep_until,
        )
        .join(LookRow, LookRow.id == EvidenceRow.look_id)
        .outerjoin(
            NamingRow, and_(NamingRow.look_id == EvidenceRow.look_id, NamingRow.track == EvidenceRow.track)
        )
        .outerjoin(likely, likely.id == NamingRow.student_id)
        .outerjoin(rival, rival.id == NamingRow.runner_up_id)
        .where(EvidenceRow.session_id == session_id)
        .order_by(LookRow.taken_at, EvidenceRow.id)
    )
    return [Exhibit(**row) for row in session.execute(query).mappings()]


def of_student(student_id: int) -> ColumnElement[bool]:
    """Crops of whoever was given this student's name by the machine, or by staff, in whichever session."""
    theirs = select(JudgementRow.session_id, JudgementRow.subject).where(
        JudgementRow.verdict == IS_STUDENT, JudgementRow.student_id == student_id
    )
    named = (
        select(LookRow.session_id, NamingRow.track)
        .join(LookRow, LookRow.id == NamingRow.look_id)
        .where(NamingRow.verdict == NAMED, NamingRow.student_id == student_id)
    )
    return or_(_occupant().in_(theirs), _occupant().in_(named))


def of_guest(session: Session, name: str) -> ColumnElement[bool] | None:
    """Crops of a guest; None where staff named nobody so.

    Which guest it was that the machine knew again is not on record, so whoever was taken for one is counted as this
    one, unless staff named them otherwise.
    """
    guests = select(JudgementRow.session_id, JudgementRow.subject).where(JudgementRow.verdict == GUEST)
    this_one = guests.where(JudgementRow.name == name)
    if session.execute(this_one.limit(1)).first() is None:
        return None
    # Ruled to be another guest, and never this one.
    others = guests.where(JudgementRow.name != name)
    taken_for_one = (
        select(LookRow.session_id, NamingRow.track)
        .join(LookRow, LookRow.id == NamingRow.look_id)
        .where(NamingRow.verdict == GUEST)
    )
    known_again = and_(_occupant().in_(taken_for_one), _occupant().not_in(others))
    return or_(_occupant().in_(this_one), known_again)


def remove_rows(session: Session, which: ColumnElement[bool], limit: int | None = None) -> list[str]:
    """Remove crops from the looks they belong to; returns their digests, once for each row."""
    rows = session.execute(
        select(EvidenceRow.id, EvidenceRow.digest).where(which).order_by(EvidenceRow.id).limit(limit)
    ).all()
    for some in batches(row.id for row in rows):
        session.execute(delete(EvidenceRow).where(EvidenceRow.id.in_(some)))
    return [row.digest for row in rows]


def _occupant() -> ColumnElement[tuple[int, str]]:
    return tuple_(EvidenceRow.session_id, EvidenceRow.track)


def digest_of(session: Session, evidence_id: int) -> str | None:
    """The name of a crop's blob; None where there is no such crop."""
    return session.scalar(select(EvidenceRow.digest).where(EvidenceRow.id == evidence_id))


def kept_until(session: Session, session_id: int, evidence_id: int) -> datetime | None:
    """How long a crop of this session is kept; None where the session has no such crop."""
    query = select(EvidenceRow.keep_until)
    return session.scalar(query.where(EvidenceRow.id == evidence_id, EvidenceRow.session_id == session_id))
