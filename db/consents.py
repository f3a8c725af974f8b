"""What students agreed to, given and withdrawn."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.proof import note_record
from db.schema import Consent

__all__ = ["consents_of", "withdraw_consents"]


def consents_of(session: Session, student_id: int) -> Sequence[Consent]:
    """Every agreement of a student, withdrawn ones too, newest first."""
    query = select(Consent).where(Consent.student_id == student_id)
    return session.scalars(query.order_by(Consent.given_at.desc(), Consent.id.desc())).all()


def withdraw_consents(session: Session, student_id: int, actor: str = SYSTEM, reason: str = "") -> int:
    """Withdraw every agreement that holds; returns how many did."""
    query = select(Consent).where(Consent.student_id == student_id, Consent.withdrawn_at.is_(None))
    held = session.scalars(query.order_by(Consent.id)).all()
    for consent in held:
        consent.withdrawn_at = datetime.now(UTC)
        session.flush()
        after = {"withdrawn_at": consent.withdrawn_at}
        note_record(session, actor, "consent.withdrawn", consent, None, after, reason)
    return len(held)
