"""The pages to sign in and out."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.access import EVERYBODY, allowed, public
from portal.accounts.entering import Entered, enter_code, enter_password, half_signed_in
from portal.accounts.limits import wait_words
from portal.paths import safe_path
from portal.sign_in import sign_out, viewer

__all__ = ["pages"]

pages = Blueprint("login", __name__)

REFUSED = "That e-mail address and password do not go together."
WRONG_CODE = "That is not the code of this moment. Each code counts once; wait for the next one."
UNREADABLE = "The portal cannot read this account’s second factor any more. Ask an admin to remove it."


@pages.get("/login")
@public
def form() -> ResponseReturnValue:
    if viewer() is not None:
        return redirect(url_for("front.page"))
    return _form("", safe_path(request.args.get("next")))


@pages.post("/login")
@public
def enter() -> ResponseReturnValue:
    email, password = request.form.get("email", ""), request.form.get("password", "")
    wanted = safe_path(request.form.get("next"))
    entered = enter_password(email, password)
    match entered.state:
        case "in":
            return redirect(wanted or url_for("front.page"))
        case "code":
            return redirect(url_for(".code_form", next=wanted))
        case "wait":
            return _later(_form(email, wanted, wait_words(entered.wait_s)), entered)
    return _form(email, wanted, REFUSED), 401


@pages.get("/login/code")
@public
def code_form() -> ResponseReturnValue:
    if half_signed_in() is None:
        return redirect(url_for(".form"))
    return _code_form(safe_path(request.args.get("next")))


@pages.post("/login/code")
@public
def try_code() -> ResponseReturnValue:
    user, wanted = half_signed_in(), safe_path(request.form.get("next"))
    if user is None:
        return _form("", wanted, "That took too long. Sign in again."), 401
    entered = enter_code(user, request.form.get("code", ""))
    match entered.state:
        case "in":
            return redirect(wanted or url_for("front.page"))
        case "wait":
            return _later(_code_form(wanted, wait_words(entered.wait_s)), entered)
    return _code_form(wanted, UNREADABLE if entered.state == "unreadable" else WRONG_CODE), 401


@pages.post("/logout")
@allowed(*EVERYBODY)
def leave() -> ResponseReturnValue:
    sign_out()
    return redirect(url_for("login.form"))


def _form(email: str, wanted: str | None, refused: str = "") -> str:
    return render_template("login.html", email=email, next=wanted, refused=refused)


def _code_form(wanted: str | None, refused: str = "") -> str:
    return render_template("accounts/code.html", next=wanted, refused=refused)


def _later(page: str, entered: Entered) -> ResponseReturnValue:
    return page, 429, {"Retry-After": str(entered.wait_s)}
