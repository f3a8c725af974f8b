"""Links that set a password, each once: for who forgot theirs, and for who is invited. Tokens arrive here as SHA-256."""

from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from db.accounts import actor_of, set_password
from db.proof import note_record
from db.schema import LinkRow, User

__all__ = ["add_link", "find_link", "use_link"]


def add_link(
    session: Session,
    user: User,
    token_hash: str,
    now: datetime,
    lifetime: timedelta,
    actor: str | None = None,
) -> None:
    """Keep a new link. `actor`: who makes it for somebody else, which is noted; None: its user asked for it."""
    session.add(
        LinkRow(token_hash=token_hash, user_id=user.id, made_at=now, expires_at=now + lifetime, used_at=None)
    )
    session.flush()
    if actor is not None:
        note_record(session, actor, "user.link_made", user, None, {"expires_at": now + lifetime})


def find_link(session: Session, token_hash: str, now: datetime) -> LinkRow | None:
    """The link with its user; None when it was used or ended, has expired, or the user is deactivated."""
    return _usable(session.scalar(_query(token_hash)), now)


def use_link(session: Session, token_hash: str, password_hash: str, now: datetime) -> User | None:
    """Set the password, which ends the user's sign-ins and all their links; None where the link is no longer good."""
    row = _usable(session.scalar(_query(token_hash).with_for_update(of=LinkRow)), now)
    if row is None:
        return None
    row.used_at = now
    session.flush()
    set_password(session, row.user, password_hash, actor_of(row.user))
    return row.user


def _query(token_hash: str) -> Select[LinkRow]:
    return select(LinkRow).options(joinedload(LinkRow.user)).where(LinkRow.token_hash == token_hash)


def _usable(row: LinkRow | None, now: datetime) -> LinkRow | None:
    if row is None or row.used_at is not None or row.expires_at <= now or not row.user.active:
        return None
    return row
