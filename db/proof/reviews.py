"""Holds settled reviews, and whole ledgers, against what they are made from."""

import json
from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db.doubts import DISPUTE
from db.due import due_sessions
from db.proof.chain import TamperedError
from db.replay import Terms, replay
from db.schema import AuditRow, JudgementRow, ReviewRow, SessionRow

__all__ = ["check_ledgers", "check_reviews"]

BATCH = 200
ACTIONS = ("review.settled", "review.opened", "review.reopened", "review.withdrawn")


def check_reviews(session: Session) -> None:
    """Is every review settled, or open, as the chain last tells of it? Raises TamperedError for the first that is not.

    A review that was settled before its time was kept is not told of.
    """
    for rows in _batches(session):
        subjects = {f"session:{row.session_id}/review:{row.id}": row for row in rows}
        told: dict[str, AuditRow] = {}
        query = select(AuditRow).where(AuditRow.subject.in_(subjects), AuditRow.action.in_(ACTIONS))
        for link in session.scalars(query.order_by(AuditRow.seq)):
            told[link.subject] = link
        answers = _answers(session, {row.session_id for row in rows if row.kind == DISPUTE})
        for subject, row in subjects.items():
            _hold(row, told.get(subject), answers)


def check_ledgers(session: Session) -> int:
    """Is every ledger what its records make of it? Returns how many sessions there are; those that are due are left out.

    Raises TamperedError for the first that is not.
    """
    due, count = set(due_sessions(session)), 0
    for number in session.scalars(select(SessionRow.id).order_by(SessionRow.id)).all():
        row = session.scalars(
            select(SessionRow).options(joinedload(SessionRow.course)).where(SessionRow.id == number)
        ).one()
        count += 1
        if number not in due and not replay(session, row, Terms()).changes_nothing:
            raise TamperedError(
                f"the ledger of session {number} is not what its records make of it; 'gridroll replay {number}' shows "
                "where they differ"
            )
    return count


def _answers(session: Session, session_ids: Collection[int]) -> dict[tuple[int, str], str]:
    """What was last answered to the disputes of these sessions, by session and subject; records the chain vouches for."""
    query = select(JudgementRow.session_id, JudgementRow.subject, JudgementRow.reason).where(
        JudgementRow.session_id.in_(session_ids), JudgementRow.kind == DISPUTE
    )
    return {
        (number, subject): said for number, subject, said in session.execute(query.order_by(JudgementRow.id))
    }


def _hold(row: ReviewRow, link: AuditRow | None, answers: Mapping[tuple[int, str], str]) -> None:
    says = f"review {row.id} of session {row.session_id} says {row.state!r}"
    if link is None:
        if row.settled_at is not None:
            raise TamperedError(f"{says}, and no row of the chain tells of that")
        return
    settled = link.action == "review.settled"
    detail = json.loads(link.detail)
    told = (detail["after"] or {}).get("state")
    if told != row.state:
        raise TamperedError(f"{says}, and row {link.seq} says {told!r}")
    reason = answers.get((row.session_id, row.subject), "") if row.kind == DISPUTE else detail["reason"]
    if settled and (row.settled_by, row.settled_student_id, row.reason or "") != (
        link.actor,
        detail["after"]["student"],
        reason,
    ):
        raise TamperedError(f"{says}, by somebody else or for another reason than row {link.seq} tells")


def _batches(session: Session) -> Iterator[list[ReviewRow]]:
    last = 0
    query = select(ReviewRow).order_by(ReviewRow.id).limit(BATCH)
    while rows := list(session.scalars(query.where(ReviewRow.id > last))):
        yield rows
        last = rows[-1].id
        session.expunge_all()
