"""What programs sign in with: agents and users of the API. Tokens arrive here as SHA-256."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM
from db.errors import GridrollError, NotFoundError
from db.proof import note_record
from db.schema import Course, TokenRow, User

__all__ = ["SCOPES", "add_token", "find_token", "forget_tokens", "list_tokens", "revoke_token", "touch_token"]

SCOPES = {
    "observations": "send what an agent sees of a session",
    "sessions": "read and plan sessions",
    "attendance": "read who was there",
    "attendance:edit": "correct entries",
    "students": "read students and courses",
    "students:edit": "add and change students",
    "reviews": "read doubts",
    "reviews:edit": "settle doubts",
    "reports": "read reports",
    "calendar": "read the calendar of sessions, by a link",
}
"""What a token may do, and what that means."""


MOST = 500


def add_token(
    session: Session,
    name: str,
    token_hash: str,
    scopes: Collection[str],
    user: User,
    course: Course | None = None,
    expires_at: datetime | None = None,
    actor: str = SYSTEM,
) -> TokenRow:
    """Keep a new token of a user, who must be staff but for the calendar. `course`: the only one it reaches; None: all that its user sees.

    Raises GridrollError for a name or scopes that are none, and for `calendar` beside other scopes.
    """
    if not name.strip() or len(name) > 120:
        raise GridrollError(f"a token needs a name of 1 to 120 characters, and {name[:20]!r} is none")
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        raise GridrollError(
            f"scope {', '.join(unknown) or 'none'} cannot be; take some of {', '.join(SCOPES)}"
        )
    if "calendar" in scopes and len(set(scopes)) > 1:
        # Addresses are kept in logs and passed on; the token in one must open nothing else.
        raise GridrollError(
            "the scope calendar stands alone, since its token is part of an address; make another token for the rest"
        )
    if user.role == "student" and set(scopes) != {"calendar"}:
        raise GridrollError(f"{user.email} is a student; but for the calendar, tokens are for staff")
    row = TokenRow(
        name=name.strip(),
        token_hash=token_hash,
        scopes=" ".join(scope for scope in SCOPES if scope in scopes),
        user_id=user.id,
        course_id=None if course is None else course.id,
        made_by=actor,
        made_at=datetime.now(UTC),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    note_record(session, actor, "token.added", row, None, {**_named(row, user), "scopes": row.scopes})
    return row


def find_token(session: Session, token_hash: str, now: datetime) -> TokenRow | None:
    """The token with its user and course; None when it was revoked, has expired, or its user was deactivated."""
    row = session.scalar(
        select(TokenRow)
        .options(joinedload(TokenRow.user), joinedload(TokenRow.course))
        .where(TokenRow.token_hash == token_hash, TokenRow.revoked_at.is_(None))
    )
    if row is None or not row.user.active or (row.expires_at is not None and row.expires_at <= now):
        return None
    return row


def touch_token(session: Session, token_id: int, now: datetime, every: timedelta) -> None:
    """Keep when it was last used, as exactly as `every`."""
    session.execute(
        update(TokenRow)
        .where(
            TokenRow.id == token_id,
            TokenRow.last_used_at.is_(None) | (TokenRow.last_used_at < now - every),
        )
        .values(last_used_at=now)
    )


def revoke_token(session: Session, token_id: int, actor: str = SYSTEM, reason: str = "") -> bool:
    """End a token. Returns False where it has ended. Raises NotFoundError."""
    row = session.get(TokenRow, token_id, with_for_update=True)
    if row is None:
        raise NotFoundError(f"there is no token {token_id}")
    if row.revoked_at is not None:
        return False
    row.revoked_at = datetime.now(UTC)
    session.flush()
    note_record(session, actor, "token.revoked", row, None, _named(row, row.user), reason)
    return True


def forget_tokens(session: Session, user: User, actor: str = SYSTEM) -> int:
    """End a user's tokens and empty their names; returns how many had one."""
    emptied = 0
    for row in session.scalars(select(TokenRow).where(TokenRow.user_id == user.id)).all():
        revoke_token(session, row.id, actor)
        if row.name:
            row.name = ""
            session.flush()
            note_record(session, actor, "token.emptied", row)
            emptied += 1
    return emptied


def _named(row: TokenRow, user: User) -> dict[str, str]:
    """A token's name for the chain, which holds it for ever; what a student calls theirs may tell who they are."""
    return {} if user.role == "student" else {"name": row.name}


def list_tokens(session: Session, user_id: int | None = None) -> Sequence[TokenRow]:
    """Tokens with their users and courses, those that hold first, then the newest; of one user where one is given.

    At most 500.
    """
    query = (
        select(TokenRow)
        .options(joinedload(TokenRow.user), joinedload(TokenRow.course))
        .order_by(TokenRow.revoked_at.is_not(None), TokenRow.id.desc())
        .limit(MOST)
    )
    return session.scalars(query if user_id is None else query.where(TokenRow.user_id == user_id)).all()
