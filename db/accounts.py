"""Portal accounts and their sign-ins. Passwords arrive here hashed, tokens as SHA-256."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from db.audit import SYSTEM
from db.errors import GridrollError
from db.proof import note_record
from db.schema import AuditHead, LinkRow, SignIn, Student, User

__all__ = [
    "ROLES",
    "actor_of",
    "add_first_user",
    "add_user",
    "begin_sign_in",
    "end_links",
    "end_sign_in",
    "end_sign_ins",
    "find_sign_in",
    "find_user",
    "has_users",
    "open_sign_ins",
    "record_of",
    "renew_hash",
    "set_active",
    "set_password",
    "touch_sign_in",
    "user_of",
]

ROLES = ("admin", "staff", "instructor", "student")
"""Admins do everything; staff verify and edit all courses; instructors their own; students read their own record."""


def find_user(session: Session, email: str) -> User | None:
    address = email.strip().lower()
    return None if len(address) > 254 else session.scalar(select(User).where(User.email == address))


def user_of(session: Session, user_id: int, for_change: bool = False) -> User | None:
    """`for_change`: held until the transaction ends."""
    return session.get(User, user_id, with_for_update=for_change or None)


def add_user(
    session: Session, email: str, role: str, password_hash: str, actor: str = SYSTEM, name: str = ""
) -> User:
    """Make an account. A student's is tied to the roster entry of the same e-mail address, and called as that is.

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
        student_id = record_of(session, address)
    user = User(
        email=address,
        password_hash=password_hash,
        role=role,
        student_id=student_id,
        active=True,
        created_at=datetime.now(UTC),
        name=name if name and student_id is None else None,
    )
    session.add(user)
    session.flush()
    after = {"role": role, "student": student_id, "active": True}
    note_record(session, actor, "user.added", user, None, after)
    return user


def record_of(session: Session, email: str) -> int:
    """The id of the one student with this e-mail address. Raises GridrollError where there is none, or several."""
    matches = session.scalars(select(Student.id).where(Student.email == email)).all()
    if len(matches) != 1:
        found = "no student has" if not matches else f"{len(matches)} students share"
        raise GridrollError(
            f"{found} the e-mail address {email}; correct it on the student's page, or import the roster again"
        )
    return matches[0]


def actor_of(user: User) -> str:
    """Under which name the audit chain keeps what a user does: a student's address would outlast their removal there."""
    return user.email if user.student_id is None else f"student:{user.student_id}"


def has_users(session: Session) -> bool:
    return session.scalar(select(User.id).limit(1)) is not None


def add_first_user(session: Session, email: str, password_hash: str) -> User | None:
    """Make the admin of a portal that nobody can sign in to yet; None where somebody can.

    Raises GridrollError for an address that is none.
    """
    # Whoever adds a user appends to the chain. Holding its end, the second of two who ask at once finds the first.
    session.scalar(select(AuditHead).where(AuditHead.id == 1).with_for_update())
    if has_users(session):
        return None
    return add_user(session, email, "admin", password_hash, email.strip().lower())


def set_password(
    session: Session, user: User, password_hash: str, actor: str = SYSTEM, keep: str | None = None
) -> None:
    """Change the password and end every sign-in that used the old one, and every link that could change it.

    `keep`: the token's hash of a sign-in that goes on.
    """
    user.password_hash = password_hash
    note_record(session, actor, "user.password_changed", user)
    end_sign_ins(session, user, keep)
    end_links(session, user)


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
        end_sign_ins(session, user)
        end_links(session, user)
    return True


def end_sign_ins(session: Session, user: User, keep: str | None = None) -> None:
    """End a user's sign-ins, but for the one whose token has the hash `keep`."""
    query = update(SignIn).where(SignIn.user_id == user.id, SignIn.ended_at.is_(None))
    if keep is not None:
        query = query.where(SignIn.token_hash != keep)
    session.execute(query.values(ended_at=datetime.now(UTC)))


def end_links(session: Session, user: User) -> None:
    """Make the links worthless by which a user's password could be set."""
    session.execute(
        update(LinkRow)
        .where(LinkRow.user_id == user.id, LinkRow.used_at.is_(None))
        .values(used_at=datetime.now(UTC))
    )


def open_sign_ins(session: Session, user_id: int, idle: timedelta, longest: timedelta) -> Sequence[SignIn]:
    """A user's sign-ins that have not ended, the last used first."""
    now = datetime.now(UTC)
    query = (
        select(SignIn)
        .where(
            SignIn.user_id == user_id,
            SignIn.ended_at.is_(None),
            SignIn.last_used_at >= now - idle,
            SignIn.created_at >= now - longest,
        )
        .order_by(SignIn.last_used_at.desc(), SignIn.id.desc())
        .limit(50)
    )
    return session.scalars(query).all()


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
