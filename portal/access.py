"""Who may open which page. A view that does not say is open to nobody."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.sign_in import viewer

__all__ = ["allowed", "guard", "public", "roles_of"]

View = TypeVar("View", bound=Callable[..., Any])

PUBLIC: frozenset[str] = frozenset({"public"})


def allowed(*roles: str) -> Callable[[View], View]:
    """Open a view to the users of these roles."""

    def declare(view: View) -> View:
        view.__dict__["allowed_roles"] = frozenset(roles)
        return view

    return declare


def public(view: View) -> View:
    """Open a view to everybody, signed in or not."""
    view.__dict__["allowed_roles"] = PUBLIC
    return view


def roles_of(view: Callable[..., Any]) -> frozenset[str] | None:
    """What a view declares; None where it declares nothing."""
    roles: frozenset[str] | None = getattr(view, "allowed_roles", None)
    return roles


def guard(app: Flask) -> None:
    """Refuse every request that its view does not allow. To be called before anything else looks at requests."""
    public(app.view_functions["static"])
    app.before_request(_refuse)


def _refuse() -> ResponseReturnValue | None:
    if request.endpoint is None:
        # The page that says so shows who is signed in, exactly as for a page that is not theirs.
        viewer()
        return None
    roles = roles_of(current_app.view_functions[request.endpoint])
    if roles is None:
        current_app.logger.error("%s declares no roles and is refused", request.endpoint)
        abort(404)
    if roles is PUBLIC:
        return None
    user = viewer()
    if user is None:
        if request.method not in {"GET", "HEAD"}:
            abort(401)
        # Where to go afterwards; the front page is where everybody goes anyway.
        return redirect(
            url_for("login.form", next=None if request.path == "/" else request.full_path.rstrip("?"))
        )
    if user.role not in roles:
        # To a student, what is not theirs and what does not exist look the same.
        abort(403 if user.is_staff else 404)
    return None
