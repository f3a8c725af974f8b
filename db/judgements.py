"""Staff's verdicts: kept with who, when and why, and read back as the rules and the recogniser want them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, joinedload

from db.errors import NotFoundError
from db.schema import JudgementRow, LookRow, NamingRow, ReviewRow
from db.tracks import GUEST, IS_STUDENT, NAMED, Ruling

__all__ = [
    "KnownFace",
    "drop_expired",
    "find_review",
    "forget_guest",
    "forget_templates",
    "known_faces",
    "rulings_of",
]


@dataclass(frozen=True, slots=True)
class KnownFace:
    """A face staff judged, to be known again. `student_id`: who it is not; None for a guest, whose name is `name`."""

    template: bytes
    student_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class NewJudgement:
    """A verdict to be kept. See `JudgementRow` for the fields."""

    session_id: int
    subject: str
    kind: str
    verdict: str
    student_id: int | None
    name: str
    since: datetime | None
    made_by: str
    made_at: datetime
    reason: str
    template: bytes | None
    expires_at: datetime


def record_judgement(session: Session, new: NewJudgement) -> bool:
    """Keep a verdict; returns False where the last one on the subject says the same.

    Faces kept for earlier verdicts on the subject that the new one contradicts are removed.
    """
    held = session.scalars(
        select(JudgementRow)
        .where(JudgementRow.session_id == new.session_id, JudgementRow.subject == new.subject)
        .order_by(JudgementRow.made_at, JudgementRow.id)
    ).all()
    if held and (held[-1].kind, held[-1].verdict, held[-1].student_id, held[-1].name) == (
        new.kind,
        new.verdict,
        new.student_id,
        new.name,
    ):
        return False
    for row in held:
        if new.verdict == IS_STUDENT or (new.verdict == row.verdict == GUEST):
            row.template = None
    session.add(
        JudgementRow(
            session_id=new.session_id,
            subject=new.subject,
            kind=new.kind,
            verdict=new.verdict,
            student_id=new.student_id,
            name=new.name,
            since=new.since,
            made_by=new.made_by,
            made_at=new.made_at,
            reason=new.reason,
            template=new.template,
            expires_at=None if new.template is None else new.expires_at,
        )
    )
    session.flush()
    return True


def find_review(session: Session, review_id: int) -> ReviewRow:
    """Raises NotFoundError."""
    row = session.get(ReviewRow, review_id)
    if row is None:
        raise NotFoundError(f"there is no review {review_id}; 'gridroll reviews list SESSION' shows them")
    return row


def reviews_of(session: Session, session_id: int) -> Sequence[ReviewRow]:
    """All reviews of one session in order of time, open and settled."""
    query = (
        select(ReviewRow)
        .options(joinedload(ReviewRow.student), joinedload(ReviewRow.rival))
        .where(ReviewRow.session_id == session_id)
        .order_by(ReviewRow.at, ReviewRow.id)
    )
    return session.scalars(query).all()


def rulings_of(session: Session, session_id: int) -> list[Ruling]:
    """All verdicts of one session as the rules want them."""
    query = select(JudgementRow).where(JudgementRow.session_id == session_id)
    return [
        Ruling(row.subject, row.kind, row.verdict, row.student_id, row.since, row.made_at)
        for row in session.scalars(query)
    ]


def known_faces(session: Session, roster: Collection[int], now: datetime) -> list[KnownFace]:
    """The faces judged in any session that have not expired: guests, and who is not one of these students."""
    query = select(JudgementRow).where(
        JudgementRow.template.is_not(None),
        JudgementRow.expires_at > now,
        or_(JudgementRow.verdict == GUEST, JudgementRow.student_id.in_(roster)),
    )
    return [
        KnownFace(row.template, row.student_id, row.name)
        for row in session.scalars(query.order_by(JudgementRow.id))
        if row.template is not None
    ]


def forget_templates(session: Session, student_id: int) -> None:
    """Remove every judged face that concerns a student: who is not them, and what is known to be theirs."""
    theirs = select(JudgementRow.session_id, JudgementRow.subject).where(
        JudgementRow.verdict == IS_STUDENT, JudgementRow.student_id == student_id
    )
    named = (
        select(LookRow.session_id, NamingRow.track)
        .join(NamingRow, NamingRow.look_id == LookRow.id)
        .where(NamingRow.verdict == NAMED, NamingRow.student_id == student_id)
    )
    own = {tuple(row) for query in (theirs, named) for row in session.execute(query)}
    for row in session.scalars(select(JudgementRow).where(JudgementRow.template.is_not(None))):
        if row.student_id == student_id or (row.session_id, row.subject) in own:
            row.template = None


def forget_guest(session: Session, name: str) -> int:
    """Remove a guest's name and faces from all verdicts; returns how many there were."""
    rows = session.scalars(
        select(JudgementRow).where(JudgementRow.verdict == GUEST, JudgementRow.name == name)
    ).all()
    for row in rows:
        row.name, row.template = "", None
    return len(rows)


def drop_expired(session: Session, now: datetime | None = None) -> None:
    """Remove the faces whose time is over; the verdicts stay."""
    session.execute(
        update(JudgementRow)
        .where(JudgementRow.expires_at <= (now or datetime.now(UTC)), JudgementRow.template.is_not(None))
        .values(template=None)
    )
