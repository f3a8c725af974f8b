"""Secrets that are shown once, on the page that follows: sealed, since anybody at the browser can read its cookie."""

from flask import current_app, session

from portal.errors import PortalError
from portal.secret import Box

__all__ = ["tell_once", "told_once"]


def tell_once(kind: str, secret: str) -> None:
    """Keep a secret for the next page that asks for this kind; one that was kept before is forgotten."""
    session[_name(kind)] = _box(kind).seal(secret)


def told_once(kind: str) -> str | None:
    """The secret that was kept, which is then forgotten; None: none was, or the portal's key is another one now."""
    sealed = session.pop(_name(kind), None)
    if sealed is None:
        return None
    try:
        return _box(kind).unseal(sealed)
    except PortalError:
        return None


def _name(kind: str) -> str:
    return f"once {kind}"


def _box(kind: str) -> Box:
    key = current_app.config["SECRET_KEY"]
    assert isinstance(key, bytes)
    return Box(key, f"told once: {kind}")
