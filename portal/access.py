"""Who may open which page, and whose data. A view that does not say is open to nobody.

A view names the roles, or for programs the scope, that open it. What its address names is then held against what the
caller reaches: `session_id`, `code` (of a course) and `student_no` in an address are nothing to whom they do not belong.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, abort, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from db.instructors import has_entry, reaches_course, reaches_session, reaches_student
from portal.bearer import Bearer, bearer
from portal.desk import desk
from portal.sign_in import Viewer, signed_in_once, viewer

__all__ = ["EVERYBODY", "OFFICE", "STAFF", "allowed", "guard", "public", "roles_of", "scope_of", "scoped"]

View = TypeVar("View", bound=Callable[..., Any])

PUBLIC: frozenset[str] = frozenset({"public"})
OFFICE = ("admin", "staff")
"""Who sees all courses."""
STAFF = (*OFFICE, "instructor")
EVERYBODY = (*STAFF, "student")


def allowed(*roles: str) -> Callable[[View], View]:
    """Open a view to the users of these roles."""

    def declare(view: View) -> View:
        view.__dict__["allowed_roles"] = frozenset(roles)
        return view

    return declare


def scoped(scope: str) -> Callable[[View], View]:
    """Open a view to the tokens of this scope, and to nobody who is signed in."""

    def declare(view: View) -> View:
        view.__dict__["allowed_scope"] = scope
        return view

    return declare


def public(view: View) -> View:
    """Open a view to everybody, signed in or not."""
    view.__dict__["allowed_roles"] = PUBLIC
    return view


def roles_of(view: Callable[..., Any]) -> frozenset[str] | None:
    """What a view declares; None where it declares no roles."""
    roles: frozenset[str] | None = getattr(view, "allowed_roles", None)
    return roles


def scope_of(view: Callable[..., Any]) -> str | None:
    """The scope that opens a view; None where no token does."""
    scope: str | None = getattr(view, "allowed_scope", None)
    return scope


def guard(app: Flask) -> None:
    """Refuse every request that its view does not allow. To be called before anything else looks at requests."""
    public(app.view_functions["static"])
    app.before_request(_refuse)


def _refuse() -> ResponseReturnValue | None:
    if request.endpoint is None:
        # The page that says so shows who is signed in, exactly as for a page that is not theirs.
        viewer()
        return None
    view = current_app.view_functions[request.endpoint]
    scope = scope_of(view)
    if scope is not None:
        _refuse_program(scope)
        return None
    roles = roles_of(view)
    if roles is None:
        current_app.logger.error("%s declares neither roles nor a scope and is refused", request.endpoint)
        abort(404)
    if roles is PUBLIC:
        return None
    user = viewer()
    if user is None:
        return _refuse_nobody()
    if user.role not in roles:
        # To a student, what is not theirs and what does not exist look the same.
        abort(403 if user.is_staff else 404)
    if not _reaches(user, request.view_args or {}):
        abort(404)
    return None


def _refuse_program(scope: str) -> None:
    caller = bearer()
    if caller is None:
        abort(401)
    if scope not in caller.scopes:
        abort(403)
    if not _reaches(caller, request.view_args or {}):
        abort(404)


def _refuse_nobody() -> ResponseReturnValue:
    if request.method not in {"GET", "HEAD"} or signed_in_once():
        # What the cookie holds was ended: by signing out elsewhere, by a new password, by the clock.
        session.clear()
        abort(401)
    # Where to go afterwards; the front page is where everybody goes anyway.
    return redirect(
        url_for("login.form", next=None if request.path == "/" else request.full_path.rstrip("?"))
    )


def _reaches(caller: Viewer | Bearer, named: Mapping[str, Any]) -> bool:
    """Whether what an address names is the caller's to see."""
    courses = caller.courses
    if courses is None:
        return True
    number = named.get("student_no")
    if isinstance(caller, Viewer) and not caller.is_staff and number not in {None, caller.student_no}:
        return False
    with desk().database.reading() as reading:
        if "session_id" in named:
            # A student that is named beside a session is looked for in that session, by the view.
            own = caller.student_id if isinstance(caller, Viewer) else None
            return reaches_session(reading, courses, named["session_id"]) or (
                own is not None and has_entry(reading, named["session_id"], own)
            )
        if "code" in named and not reaches_course(reading, courses, named["code"]):
            return False
        return number is None or reaches_student(reading, courses, number)
