"""Portal accounts and their sign-ins. Passwords arrive here hashed, tokens as SHA-256."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM
from db.errors import GridrollError
from db.proof import note_record
from db.schema import SignIn, Student, User

__all__ = [
    "ROLES",
    "add_user",
    "begin_sign_in",
    "end_sign_in",
    "find_sign_in",
    "find_user",
    "renew_hash",
    "set_active",
    "set_password",
]

ROLES = ("admin", "staff", "instructor", "student")
"""Admins do everything; staff verify and edit all courses; instructors their own; students read their own record."""


def find_user(session: Session, email: str) -> User | None:
    address = email.strip().lower()
    return None if len(address) > 254 else session.scalar(select(User).where(User.email == address))


def add_user(session: Session, email: str, role: str, password_hash: str, actor: str = SYSTEM) -> User:
    """Make an account. A student's is tied to the roster entry of the same e-mail address.

    Raises GridrollError for an unknown role, an address that is none or is taken, a student without a record.
    """
    address = email.strip().lower()
    if role not in ROLES:
        raise GridrollError(f"role {role!r} is not known; take one of {', '.join(ROLES)}")
    if "@" not in address or len(address) > 254 or any(character.isspace() for character in address):
        raise GridrollError(f"{email!r} is no e-mail address")
    if find_user(session, address) is not None:
        raise GridrollError(f"there is a user {address} already")
    student_id = None
    if role == "student":
        matches = session.scalars(select(Student.id).where(Student.email == address)).all()
        if len(matches) != 1:
            found = "no student has" if not matches else f"{len(matches)} students share"
            raise GridrollError(
                f"{found} the e-mail address {address}; correct the roster and import it again"
            )
        student_id = matches[0]
    user = User(
        email=address,
        password_hash=password_hash,
        role=role,
        student_id=student_id,
        active=True,
        created_at=datetime.now(UTC),
    )
    session.add(user)
    session.flush()
    after = {"role": role, "student": student_id, "active": True}
    note_record(session, actor, "user.added", user, None, after)
    return user


def set_password(session: Session, user: User, password_hash: str, actor: str = SYSTEM) -> None:
    """Change the password and end every sign-in that used the old one."""
    user.password_hash = password_hash
    note_record(session, actor, "user.password_changed", user)
    _end_sign_ins(session, user)


def renew_hash(session: Session, user: User, password_hash: str) -> None:
    """Store the same password under a newer hash."""
    user.password_hash = password_hash
    note_record(session, SYSTEM, "user.password_rehashed", user)


def set_active(session: Session, user: User, active: bool, actor: str = SYSTEM, reason: str = "") -> bool:
    """Let a user sign in, or no more, which ends their sign-ins. Returns False where nothing changes."""
    if user.active == active:
        return False
    user.active = active
    action = "user.activated" if active else "user.deactivated"
    note_record(session, actor, action, user, {"active": not active}, {"active": active}, reason)
    if not active:
        _end_sign_ins(session, user)
    return True


def _end_sign_ins(session: Session, user: User) -> None:
    session.execute(
        update(SignIn)
        .where(SignIn.user_id == user.id, SignIn.ended_at.is_(None))
        .values(ended_at=datetime.now(UTC))
    )


def begin_sign_in(session: Session, user_id: int, token_hash: str) -> None:
    now = datetime.now(UTC)
    session.add(SignIn(token_hash=token_hash, user_id=user_id, created_at=now, last_used_at=now))


def find_sign_in(session: Session, token_hash: str, idle: timedelta, longest: timedelta) -> SignIn | None:
    """The sign-in of that token with its user; None when it ended, timed out, or the user was deactivated."""
    row = session.scalar(
        select(SignIn)
        .options(joinedload(SignIn.user).joinedload(User.student))
        .where(SignIn.token_hash == token_hash, SignIn.ended_at.is_(None))
    )
    now = datetime.now(UTC)
    if row is None or not row.user.active or now - row.last_used_at > idle or now - row.created_at > longest:
        return None
    return row


def touch_sign_in(session: Session, token_hash: str) -> None:
    session.execute(
        update(SignIn).where(SignIn.token_hash == token_hash).values(last_used_at=datetime.now(UTC))
    )


def end_sign_in(session: Session, token_hash: str) -> None:
    session.execute(
        update(SignIn)
        .where(SignIn.token_hash == token_hash, SignIn.ended_at.is_(None))
        .values(ended_at=datetime.now(UTC))
    )
