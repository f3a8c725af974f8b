"""What students say against their entries. Each opens a review, whose settling answers it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.doubts import DISPUTE, Dispute
from db.due import mark_due
from db.errors import GridrollError, NotFoundError
from db.proof import note_record
from db.schema import AttendanceRow, DisputeRow, ReviewRow
from db.sessions import lock_session

__all__ = [
    "LONGEST_TEXT",
    "DisputeError",
    "DisputeLine",
    "disputes_in",
    "disputes_of",
    "every_dispute_of",
    "make_dispute",
    "texts_of",
]

LONGEST_TEXT = 2000


class DisputeError(GridrollError):
    """A dispute that cannot be made."""


@dataclass(frozen=True, slots=True)
class DisputeLine:
    """A dispute and what became of it. `state`: as of its review; `answer`, `answered_at`: empty and None while it is open."""

    id: int
    text: str
    made_at: datetime
    state: str = "open"
    answer: str = ""
    answered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.state == "open"


def make_dispute(session: Session, session_id: int, student_id: int, text: str, actor: str) -> int:
    """Keep a student's word against their entry; returns its id. The ledger is due. Sent twice, it counts once.

    Raises DisputeError for one without words, too long, or beside another one that is open; NotFoundError where there is
    no entry.
    """
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if not text:
        raise DisputeError("say what is wrong; staff read it")
    if len(text) > LONGEST_TEXT:
        raise DisputeError(f"the text has {len(text)} characters; at most {LONGEST_TEXT} fit, shorten it")
    lock_session(session, session_id)
    entry = select(AttendanceRow.id).where(
        AttendanceRow.session_id == session_id, AttendanceRow.student_id == student_id
    )
    if session.scalar(entry) is None:
        raise NotFoundError(f"student {student_id} has no entry in session {session_id}")
    unanswered = next((one for one in disputes_of(session, session_id, student_id) if one.is_open), None)
    if unanswered is not None:
        if unanswered.text == text:
            return unanswered.id
        raise DisputeError("you have said that this entry is wrong already; wait for the answer")
    row = DisputeRow(session_id=session_id, student_id=student_id, text=text, made_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    note_record(session, actor, "dispute.made", row)
    mark_due(session, [session_id])
    return row.id


def disputes_of(session: Session, session_id: int, student_id: int) -> list[DisputeLine]:
    """A student's disputes about one session, oldest first, with their answers."""
    return [line for _, line in _lines(session, student_id, session_id)]


def every_dispute_of(session: Session, student_id: int) -> list[tuple[int, DisputeLine]]:
    """All disputes of a student with their answers, oldest first, each with its session's id."""
    return _lines(session, student_id, None)


def disputes_in(session: Session, session_id: int) -> list[Dispute]:
    """The disputes of one session as the rules want them. One whose words were erased with its student is none."""
    query = select(DisputeRow).where(DisputeRow.session_id == session_id, DisputeRow.text != "")
    return [Dispute(row.id, row.student_id, row.made_at) for row in session.scalars(query)]


def texts_of(session: Session, session_ids: Collection[int]) -> dict[str, str]:
    """What was said in the disputes of these sessions, by the subjects of their reviews."""
    query = select(DisputeRow).where(DisputeRow.session_id.in_(session_ids))
    return {_subject(row): row.text for row in session.scalars(query)}


def _lines(session: Session, student_id: int, session_id: int | None) -> list[tuple[int, DisputeLine]]:
    said = select(DisputeRow).where(DisputeRow.student_id == student_id).order_by(DisputeRow.id)
    opened = select(ReviewRow).where(ReviewRow.student_id == student_id, ReviewRow.kind == DISPUTE)
    if session_id is not None:
        said = said.where(DisputeRow.session_id == session_id)
        opened = opened.where(ReviewRow.session_id == session_id)
    rows = session.scalars(said).all()
    if not rows:
        return []
    reviews = {row.subject: row for row in session.scalars(opened)}
    return [(row.session_id, _line(row, reviews.get(_subject(row)))) for row in rows]


def _line(row: DisputeRow, review: ReviewRow | None) -> DisputeLine:
    if review is None or review.state == "open":
        return DisputeLine(row.id, row.text, row.made_at)
    return DisputeLine(row.id, row.text, row.made_at, review.state, review.reason or "", review.settled_at)


def _subject(row: DisputeRow) -> str:
    return Dispute(row.id, row.student_id, row.made_at).subject
