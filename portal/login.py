"""The pages to sign in and out."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.access import EVERYBODY, allowed, public
from portal.paths import safe_path
from portal.sign_in import sign_in, sign_out, viewer

__all__ = ["pages"]

pages = Blueprint("login", __name__)

REFUSED = "That e-mail address and password do not go together."


@pages.get("/login")
@public
def form() -> ResponseReturnValue:
    if viewer() is not None:
        return redirect(url_for("front.page"))
    return render_template("login.html", email="", next=safe_path(request.args.get("next")))


@pages.post("/login")
@public
def enter() -> ResponseReturnValue:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    wanted = safe_path(request.form.get("next"))
    if not sign_in(email, password):
        return render_template("login.html", email=email, next=wanted, refused=REFUSED), 401
    return redirect(wanted or url_for("front.page"))


@pages.post("/logout")
@allowed(*EVERYBODY)
def leave() -> ResponseReturnValue:
    sign_out()
    return redirect(url_for("login.form"))
