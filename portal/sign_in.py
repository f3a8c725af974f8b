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

from db.accounts import begin_sign_in, end_sign_in, find_sign_in, find_user, renew_hash, touch_sign_in
from db.instructors import course_ids_of
from db.people import enrolled_in
from db.schema import User
from portal.desk import desk
from portal.passwords import check_password

__all__ = [
    "IDLE",
    "LONGEST",
    "Viewer",
    "sign_in",
    "sign_out",
    "signed_in_once",
    "unattended",
    "viewer",
    "watch_sign_ins",
]

View = TypeVar("View", bound=Callable[..., Any])

IDLE = timedelta(hours=2)
"""A sign-in ends after so long without a request."""

LONGEST = timedelta(hours=12)
"""A sign-in ends after so long in any case."""

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


def sign_in(email: str, password: str) -> bool:
    """Check and begin a new sign-in. False for an unknown, deactivated or wrong account alike."""
    database = desk().database
    with database.reading() as reading:
        user = find_user(reading, email)
    usable = user if user is not None and user.active else None
    check = check_password(usable.password_hash if usable else None, password)
    if usable is None or not check.matches:
        return False
    token = secrets.token_urlsafe(32)
    with database.writing() as writing:
        begin_sign_in(writing, usable.id, _sha256(token))
        held = find_user(writing, email)
        if check.new_hash is not None and held is not None:
            renew_hash(writing, held, check.new_hash)
    # Read before the cookie changes: where the ledger is away now, the form must still be good for another try.
    user = _load(token)
    # What was in the cookie before belongs to whoever held it then.
    session.clear()
    flask_login.login_user(user)
    g.pop("viewer", None)
    return True


def sign_out() -> None:
    """End the sign-in in the ledger, so that a copy of the cookie is worth nothing."""
    current = viewer()
    if current is not None:
        token_hash = _sha256(current.token)
        desk().database.transact(lambda writing: end_sign_in(writing, token_hash))
    flask_login.logout_user()
    session.clear()
    g.pop("viewer", None)


def _load(token: str) -> Viewer | None:
    token_hash = _sha256(token)
    database = desk().database
    with database.reading() as reading:
        row = find_sign_in(reading, token_hash, IDLE, LONGEST)
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


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
