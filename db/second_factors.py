"""The second factor of an account: a secret shared with a phone, sealed by the portal, and the codes taken of it."""

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.proof import note_record
from db.schema import User

__all__ = ["add_second_factor", "remove_second_factor", "take_step"]


def add_second_factor(session: Session, user: User, sealed: str, step: int, actor: str = SYSTEM) -> bool:
    """Ask for a code from now on. `step`: of the code that proved it. Returns False where there is one already."""
    if user.totp_secret is not None:
        return False
    user.totp_secret, user.totp_step = sealed, step
    session.flush()
    note_record(session, actor, "user.second_factor_added", user)
    return True


def remove_second_factor(session: Session, user: User, actor: str = SYSTEM, reason: str = "") -> bool:
    """Ask for the password only. Returns False where no more is asked for."""
    if user.totp_secret is None:
        return False
    user.totp_secret = user.totp_step = None
    session.flush()
    note_record(session, actor, "user.second_factor_removed", user, None, None, reason)
    return True


def take_step(session: Session, user_id: int, step: int) -> bool:
    """Take a code by its time step. Returns False where it, or a later one, was taken before."""
    taken = session.execute(
        update(User)
        .where(User.id == user_id, User.totp_step.is_(None) | (User.totp_step < step))
        .values(totp_step=step)
    )
    assert isinstance(taken, CursorResult)
    return taken.rowcount == 1
