"""Who is signed in. The cookie holds a random token; the ledger holds its SHA-256 and can end it at any time."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import flask_login
from flask import Flask, current_app, g, request, session
from sqlalchemy.orm import Session

from db.accounts import (
    begin_sign_in,
    end_sign_in,
    find_sign_in,
    find_user,
    renew_hash,
    touch_sign_in,
    user_of,
)
from db.instructors import course_ids_of
from db.people import enrolled_in
from db.schema import User
from portal.desk import desk
from portal.passwords import check_password

__all__ = [
    "Viewer",
    "begin",
    "check_account",
    "hash_of",
    "lifetime",
    "sign_out",
    "signed_in_once",
    "unattended",
    "viewer",
    "watch_sign_ins",
]

View = TypeVar("View", bound=Callable[..., Any])

TOUCHED_EVERY = timedelta(minutes=1)
"""How exactly the last use is kept: a page is no reason to write to the ledger each time."""


@dataclass(frozen=True, slots=True)
class Viewer(flask_login.UserMixin):  # type: ignore[misc]
    """The signed-in user of a request.

    `student_id`, `student_no`: the record this account is tied to, None for staff. `courses`: the ids of those that the
    user reaches, an instructor's or a student's own; None: all.
    """

    token: str
    user_id: int
    email: str
    role: str
    student_id: int | None
    student_no: str | None
    name: str | None
    courses: frozenset[int] | None

    @property
    def is_staff(self) -> bool:
        return self.role != "student"

    @property
    def is_office(self) -> bool:
        """Whether all courses are theirs to see."""
        return self.role in {"admin", "staff"}

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def actor(self) -> str:
        """Under which name the audit chain keeps what they do: a student's address would outlast their removal there."""
        return self.email if self.student_id is None else f"student:{self.student_id}"

    def get_id(self) -> str:
        return self.token


def watch_sign_ins(app: Flask) -> None:
    manager = flask_login.LoginManager()
    # The ledger ends sign-ins; a fingerprint of address and browser in the cookie would add nothing.
    manager.session_protection = None
    manager.user_loader(_load)
    # Nothing that draws a page may ask the ledger again: pages also say that the ledger is away.
    manager.init_app(app, add_context_processor=False)


def viewer() -> Viewer | None:
    """The signed-in user, read once per request; None for nobody."""
    if "viewer" not in g:
        user = flask_login.current_user
        g.viewer = user._get_current_object() if user.is_authenticated else None
    found: Viewer | None = g.viewer
    return found


def signed_in_once() -> bool:
    """Whether the request brings a cookie that a sign-in was begun with, which may have ended."""
    return "_user_id" in session


def lifetime() -> tuple[timedelta, timedelta]:
    """After how long without a request, and after how long in any case, a sign-in ends."""
    settings = desk().settings
    return timedelta(minutes=settings.portal_idle_minutes), timedelta(hours=settings.portal_longest_hours)


def check_account(email: str, password: str) -> User | None:
    """The account that the two open. None for an unknown, deactivated or wrong account alike, after equal work."""
    database = desk().database
    with database.reading() as reading:
        user = find_user(reading, email)
    usable = user if user is not None and user.active else None
    check = check_password(usable.password_hash if usable else None, password)
    if usable is None or not check.matches:
        return None
    if check.new_hash is not None:
        with database.writing() as writing:
            held = find_user(writing, email)
            if held is not None and held.password_hash == usable.password_hash:
                renew_hash(writing, held, check.new_hash)
                return held
    return usable


def begin(user: User, also: Callable[[Session], None]) -> bool:
    """Begin a sign-in of somebody who has proved who they are. `also`: done in the same transaction.

    False where the account was deactivated or got another password since it was read.
    """
    token = secrets.token_urlsafe(32)
    with desk().database.writing() as writing:
        held = user_of(writing, user.id, for_change=True)
        if held is None or not held.active or held.password_hash != user.password_hash:
            return False
        begin_sign_in(writing, user.id, hash_of(token))
        also(writing)
    # Read before the cookie changes: where the ledger is away now, the form must still be good for another try.
    begun = _load(token)
    if begun is None:
        return False
    # What was in the cookie before belongs to whoever held it then.
    session.clear()
    flask_login.login_user(begun)
    g.pop("viewer", None)
    return True


def sign_out() -> None:
    """End the sign-in in the ledger, so that a copy of the cookie is worth nothing."""
    current = viewer()
    if current is not None:
        token_hash = hash_of(current.token)
        desk().database.transact(lambda writing: end_sign_in(writing, token_hash))
    flask_login.logout_user()
    session.clear()
    g.pop("viewer", None)


def _load(token: str) -> Viewer | None:
    token_hash = hash_of(token)
    database = desk().database
    with database.reading() as reading:
        row = find_sign_in(reading, token_hash, *lifetime())
        if row is None:
            return None
        courses = _courses(reading, row.user)
    if desk().now() - row.last_used_at > TOUCHED_EVERY and not _unattended():
        database.transact(lambda writing: touch_sign_in(writing, token_hash))
    user, student = row.user, row.user.student
    return Viewer(
        token,
        user.id,
        user.email,
        user.role,
        user.student_id,
        student.student_no if student else None,
        student.name if student else user.name,
        courses,
    )


def unattended(view: View) -> View:
    """Mark a view that open pages ask by themselves: to be asked is no sign that anybody is still there."""
    view.__dict__["unattended"] = True
    return view


def _unattended() -> bool:
    return hasattr(current_app.view_functions.get(request.endpoint or ""), "unattended")


def _courses(reading: Session, user: User) -> frozenset[int] | None:
    match user.role:
        case "instructor":
            return course_ids_of(reading, user.id)
        case "student":
            return frozenset() if user.student_id is None else enrolled_in(reading, user.student_id)
    return None


def hash_of(token: str) -> str:
    """SHA-256 of a token, as 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()
