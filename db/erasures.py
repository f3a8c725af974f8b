"""Students' wishes that their data be erased, and what became of them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.errors import GridrollError, NotFoundError
from db.proof import note_record
from db.schema import ErasureRow, Student

__all__ = [
    "CARRIED_OUT",
    "REFUSED",
    "ErasureError",
    "ask_for_erasure",
    "erasures_of",
    "find_erasure",
    "open_erasures",
    "refuse_erasure",
    "settled_erasures",
]

LONGEST_TEXT = 2000
CARRIED_OUT, REFUSED = "carried_out", "refused"


class ErasureError(GridrollError):
    """A wish or an answer that cannot be taken."""


def ask_for_erasure(session: Session, student_id: int, text: str, actor: str) -> int:
    """Keep a student's wish; returns its id. While one waits for an answer, asking again changes nothing.

    `text`: may be empty, nobody owes a reason. Raises ErasureError for one that is too long.
    """
    text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    if len(text) > LONGEST_TEXT:
        raise ErasureError(f"the text has {len(text)} characters; at most {LONGEST_TEXT} fit, shorten it")
    # Of two that ask at once, one waits here and finds the other's.
    session.scalar(select(Student.id).where(Student.id == student_id).with_for_update())
    waiting = session.scalar(
        select(ErasureRow.id).where(ErasureRow.student_id == student_id, ErasureRow.outcome.is_(None))
    )
    if waiting is not None:
        return waiting
    row = ErasureRow(student_id=student_id, text=text, asked_at=datetime.now(UTC))
    session.add(row)
    session.flush()
    note_record(session, actor, "erasure.asked", row)
    return row.id


def erasures_of(session: Session, student_id: int) -> Sequence[ErasureRow]:
    """A student's wishes, newest first."""
    query = select(ErasureRow).where(ErasureRow.student_id == student_id)
    return session.scalars(query.order_by(ErasureRow.id.desc())).all()


def find_erasure(session: Session, erasure_id: int) -> tuple[ErasureRow, Student]:
    """Raises NotFoundError."""
    query = select(ErasureRow, Student).join(Student, Student.id == ErasureRow.student_id)
    found = session.execute(query.where(ErasureRow.id == erasure_id)).first()
    if found is None:
        raise NotFoundError(f"there is no request {erasure_id}")
    return found[0], found[1]


def open_erasures(session: Session, limit: int = 100) -> list[tuple[ErasureRow, Student]]:
    """The wishes that wait for an answer, with whose they are, oldest first."""
    query = select(ErasureRow, Student).join(Student, Student.id == ErasureRow.student_id)
    rows = session.execute(
        query.where(ErasureRow.outcome.is_(None)).order_by(ErasureRow.asked_at, ErasureRow.id).limit(limit)
    )
    return [(wish, student) for wish, student in rows]


def settled_erasures(
    session: Session, limit: int, skip: int = 0
) -> tuple[list[tuple[ErasureRow, Student]], int]:
    """The wishes that were answered, with whose they are or were, newest first; and how many there are in all."""
    query = select(ErasureRow, Student).join(Student, Student.id == ErasureRow.student_id)
    settled = ErasureRow.outcome.is_not(None)
    rows = session.execute(
        query.where(settled)
        .order_by(ErasureRow.settled_at.desc(), ErasureRow.id.desc())
        .limit(limit)
        .offset(skip)
    )
    count = session.scalar(select(func.count()).select_from(ErasureRow).where(settled)) or 0
    return [(wish, student) for wish, student in rows], count


def refuse_erasure(session: Session, erasure_id: int, answer: str, actor: str) -> None:
    """Answer that the data stay. Raises ErasureError without an answer, or where it was settled otherwise; NotFoundError."""
    answer = answer.strip()
    if not answer:
        raise ErasureError("a refusal needs an answer; say why, the student reads it")
    if len(answer) > LONGEST_TEXT:
        raise ErasureError(f"the answer has {len(answer)} characters; at most {LONGEST_TEXT} fit, shorten it")
    row = session.get(ErasureRow, erasure_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"there is no request {erasure_id}")
    if row.outcome is not None:
        if (row.outcome, row.answer) == (REFUSED, answer):
            return
        raise ErasureError(f"{row.settled_by} has answered this request already; read it again")
    row.outcome, row.answer = REFUSED, answer
    row.settled_by, row.settled_at = actor, datetime.now(UTC)
    session.flush()
    # The answer stands in the row, which can be emptied.
    note_record(session, actor, "erasure.settled", row, None, {"outcome": REFUSED})
