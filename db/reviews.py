"""Settling reviews side by side: who settles one that somebody else settled meanwhile is told so."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import GridrollError
from db.judgements import find_review, says_the_same
from db.schema import JudgementRow, ReviewRow

__all__ = ["ReviewConflictError", "refuse_changed", "review_mark"]


class ReviewConflictError(GridrollError):
    """The review is not what it was when whoever settles it read it."""


def review_mark(review: ReviewRow) -> str:
    """What a review was like when it was read: it differs as soon as it is about somebody else or was settled."""
    settled = "" if review.settled_at is None else review.settled_at.isoformat()
    return f"{review.state}/{review.student_id or ''}/{review.rival_id or ''}/{settled}"


def refuse_changed(
    session: Session,
    review_id: int,
    mark: str | None,
    verdict: str,
    student_id: int | None,
    name: str,
    reason: str = "",
) -> None:
    """Refuse a verdict on a review that is no longer as its `mark` says (None: whatever it is), unless it says the same.

    The caller holds the session. Raises ReviewConflictError and NotFoundError.
    """
    review = find_review(session, review_id)
    if mark is None or mark == review_mark(review):
        return
    if review.state == "open":
        raise ReviewConflictError(
            f"review {review_id} is no longer what it was; read it again, then settle it"
        )
    last = session.scalar(
        select(JudgementRow)
        .where(
            JudgementRow.session_id == review.session_id,
            JudgementRow.subject == review.subject,
            JudgementRow.kind == review.kind,
        )
        .order_by(JudgementRow.id.desc())
        .limit(1)
    )
    if last is not None and says_the_same(last, verdict, student_id, name, reason, review.kind):
        return
    raise ReviewConflictError(
        f"{review.settled_by} settled review {review_id} at {_utc(review.settled_at)} as "
        f"{review.state.replace('_', ' ')}; read it again, then decide"
    )


def _utc(moment: datetime | None) -> str:
    return "?" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
