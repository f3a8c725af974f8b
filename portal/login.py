"""The pages to sign in and out."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.access import allowed, public
from portal.sign_in import sign_in, sign_out, viewer

__all__ = ["pages", "safe_next"]

pages = Blueprint("login", __name__)

REFUSED = "That e-mail address and password do not go together."


@pages.get("/login")
@public
def form() -> ResponseReturnValue:
    if viewer() is not None:
        return redirect(url_for("front.page"))
    return render_template("login.html", email="", next=safe_next(request.args.get("next")))


@pages.post("/login")
@public
def enter() -> ResponseReturnValue:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    wanted = safe_next(request.form.get("next"))
    if not sign_in(email, password):
        return render_template("login.html", email=email, next=wanted, refused=REFUSED), 401
    return redirect(wanted or url_for("front.page"))


@pages.post("/logout")
@allowed("admin", "instructor", "student")
def leave() -> ResponseReturnValue:
    sign_out()
    return redirect(url_for("login.form"))


def safe_next(wanted: str | None) -> str | None:
    """A path on this site, or None: a link to the login page must not lead anywhere else afterwards."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//") or len(wanted) > 500:
        return None
    # Browsers read a backslash as a slash and drop control characters.
    if "\\" in wanted or any(ord(character) < 33 or ord(character) == 127 for character in wanted):
        return None
    parts = urlsplit(wanted)
    return None if parts.scheme or parts.netloc else wanted
