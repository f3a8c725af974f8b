"""Accounts as those see them who look after them: in pages, searched, and one by one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, joinedload

from db.errors import NotFoundError
from db.schema import Course, CourseStaff, LinkRow, SignIn, Student, User

__all__ = [
    "PAGE",
    "CourseChoice",
    "UserLine",
    "UserPage",
    "UserSheet",
    "course_choices",
    "list_users",
    "token_users",
    "user_sheet",
]

PAGE = 50


@dataclass(frozen=True, slots=True)
class UserLine:
    """`last_seen_at`: None: they never signed in. `invited`: they never did, and hold a link to begin with."""

    id: int
    email: str
    name: str | None
    role: str
    active: bool
    second_factor: bool
    last_seen_at: datetime | None
    invited: bool


@dataclass(frozen=True, slots=True)
class UserPage:
    """`number`: of this page, from 1. `found`: on all pages."""

    lines: Sequence[UserLine]
    number: int
    pages: int
    found: int


@dataclass(frozen=True, slots=True)
class UserSheet:
    """`courses`: the ids of those that an instructor teaches. `student_no`: of the record that an account is tied to."""

    line: UserLine
    created_at: datetime
    student_no: str | None
    courses: frozenset[int]


@dataclass(frozen=True, slots=True)
class CourseChoice:
    """A course to choose. `title`: None: its code is all there is."""

    id: int
    code: str
    title: str | None


def course_choices(session: Session, ids: Collection[int] | None = None) -> list[CourseChoice]:
    """Courses in the order of their codes. `ids`: of those; None: all."""
    query = select(Course.id, Course.code, Course.title).order_by(Course.code)
    if ids is not None:
        query = query.where(Course.id.in_(ids))
    return [CourseChoice(*row) for row in session.execute(query)]


def list_users(
    session: Session,
    now: datetime,
    search: str = "",
    role: str = "",
    active: bool | None = None,
    number: int = 1,
) -> UserPage:
    """A page of the accounts in the order of their addresses. `search`: part of an address or of a name."""
    query = select(User).outerjoin(Student, Student.id == User.student_id)
    if words := search.strip():
        name = func.coalesce(User.name, Student.name, "")
        small = words.lower()
        # SQLite knows the small letters of English only; what was typed as it is written is found all the same.
        matches = [_holds(User.email, small), _holds(func.lower(name), small), _holds(name, words)]
        query = query.where(or_(*matches))
    if role:
        query = query.where(User.role == role)
    if active is not None:
        query = query.where(User.active.is_(active))
    found = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    pages = max(1, -(-found // PAGE))
    number = min(max(1, number), pages)
    shown = (
        query.options(joinedload(User.student)).order_by(User.email).limit(PAGE).offset(PAGE * (number - 1))
    )
    return UserPage(_lines(session, session.scalars(shown).all(), now), number, pages, found)


def user_sheet(session: Session, user_id: int, now: datetime) -> UserSheet:
    """Raises NotFoundError."""
    query = select(User).options(joinedload(User.student)).where(User.id == user_id)
    user = session.scalar(query)
    if user is None:
        raise NotFoundError(f"there is no user {user_id}")
    courses = frozenset(session.scalars(select(CourseStaff.course_id).where(CourseStaff.user_id == user_id)))
    number = user.student.student_no if user.student else None
    return UserSheet(_lines(session, [user], now)[0], user.created_at, number, courses)


def _holds(text: Any, part: str) -> ColumnElement[bool]:
    plain = part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    found: ColumnElement[bool] = text.like(f"%{plain}%", escape="!")
    return found


def _lines(session: Session, users: Sequence[User], now: datetime) -> list[UserLine]:
    ids = [user.id for user in users]
    last = (
        select(SignIn.user_id, func.max(SignIn.last_used_at))
        .where(SignIn.user_id.in_(ids))
        .group_by(SignIn.user_id)
    )
    seen: dict[int, datetime] = dict(iter(session.execute(last)))
    invited = _invited(session, ids, now)
    return [
        UserLine(
            id=user.id,
            email=user.email,
            name=user.name or (user.student.name if user.student else None),
            role=user.role,
            active=user.active,
            second_factor=user.totp_secret is not None,
            last_seen_at=seen.get(user.id),
            invited=user.active and user.id in invited and user.id not in seen,
        )
        for user in users
    ]


def _invited(session: Session, ids: Collection[int], now: datetime) -> set[int]:
    query = select(LinkRow.user_id).where(
        LinkRow.user_id.in_(ids), LinkRow.used_at.is_(None), LinkRow.expires_at > now
    )
    return set(session.scalars(query))


def token_users(session: Session) -> list[str]:
    """The addresses of those for whom a program may act."""
    query = select(User.email).where(User.role != "student", User.active.is_(True)).order_by(User.email)
    return list(session.scalars(query.limit(1000)))
