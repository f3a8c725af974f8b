"""The pages for those who cannot sign in: asking for a link, and setting a password by it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.password_links import find_link, use_link
from db.schema import LinkRow
from db.throttle import Tries
from portal.access import public
from portal.accounts.limits import (
    FORGOTTEN,
    FORGOTTEN_HERE,
    PASSWORDS,
    attempt,
    client,
    succeeded,
    wait_words,
)
from portal.accounts.links import mail_reset, sends_mail
from portal.accounts.passing import read_new_password
from portal.desk import desk
from portal.errors import PortalError
from portal.passwords import SHORTEST
from portal.sign_in import hash_of

__all__ = ["pages"]

pages = Blueprint("recovery", __name__)

RESET = "/reset/<string(maxlength=100):token>"


@pages.get("/forgot")
@public
def forgot_form() -> ResponseReturnValue:
    return render_template("accounts/forgot.html", email="", sends_mail=sends_mail())


@pages.post("/forgot")
@public
def forgot() -> ResponseReturnValue:
    email = request.form.get("email", "")
    if not sends_mail():
        return forgot_form()
    if "@" not in email:
        refused = f"{email[:40]!r} is no e-mail address; write e.g. ada@school.example."
        return _forgot(email, refused), 400
    wait_s = attempt(Tries(FORGOTTEN, email.strip().lower()), Tries(FORGOTTEN_HERE, client()))
    if wait_s is not None:
        return _forgot(email, wait_words(wait_s)), 429, {"Retry-After": str(wait_s)}
    mail_reset(email)
    flash("If there is an account of that address, a mail with a link is on its way to it.")
    return redirect(url_for("login.form"))


@pages.get(RESET)
@public
def reset_form(token: str) -> ResponseReturnValue:
    link = _link(token)
    return _gone() if link is None else _reset(link)


@pages.post(RESET)
@public
def reset(token: str) -> ResponseReturnValue:
    link = _link(token)
    if link is None:
        return _gone()
    try:
        password_hash = read_new_password(request.form)
    except PortalError as error:
        return _reset(link, str(error)), 400
    now = desk().now()

    def use(writing: Session) -> bool:
        user = use_link(writing, hash_of(token), password_hash, now)
        if user is None:
            return False
        # Guesses at the password before it say nothing of the new one. Those at codes and from an address still count.
        succeeded(writing, Tries(PASSWORDS, user.email))
        return True

    if not desk().database.transact(use, idempotent=False):
        return _gone()
    flash("Your password is set. Sign in with it.")
    return redirect(url_for("login.form"))


def _link(token: str) -> LinkRow | None:
    with desk().database.reading() as reading:
        return find_link(reading, hash_of(token), desk().now())


def _forgot(email: str, refused: str) -> str:
    return render_template("accounts/forgot.html", email=email, refused=refused, sends_mail=True)


def _reset(link: LinkRow, refused: str = "") -> str:
    return render_template("accounts/reset.html", email=link.user.email, shortest=SHORTEST, refused=refused)


def _gone() -> ResponseReturnValue:
    return render_template("accounts/link_gone.html", sends_mail=sends_mail()), 404
