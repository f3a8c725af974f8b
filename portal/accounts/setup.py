"""The page that makes the first account, for whoever started the portal: only their terminal shows its address."""

import hmac
import secrets

from flask import Blueprint, Flask, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from db.accounts import add_first_user, has_users
from db.errors import GridrollError, StoreError
from portal.access import public
from portal.accounts.passing import read_new_password
from portal.desk import desk, desk_of
from portal.passwords import SHORTEST
from portal.sign_in import hash_of

__all__ = ["offer_setup", "pages"]

pages = Blueprint("setup", __name__)

SETUP = "/setup/<string(maxlength=100):token>"
KEPT = "gridroll-setup"


def offer_setup(app: Flask) -> str | None:
    """Open the page where nobody can sign in yet. Returns its path, which is a secret; None where somebody can."""
    with desk_of(app).database.reading() as reading:
        if has_users(reading):
            return None
    token = secrets.token_urlsafe(32)
    app.extensions[KEPT] = hash_of(token)
    return f"/setup/{token}"


@pages.get(SETUP)
@public
def form(token: str) -> ResponseReturnValue:
    _check(token)
    return _page("")


@pages.post(SETUP)
@public
def make(token: str) -> ResponseReturnValue:
    _check(token)
    email = request.form.get("email", "")
    try:
        password_hash = read_new_password(request.form)
        made = desk().database.transact(
            lambda writing: add_first_user(writing, email, password_hash) is not None, idempotent=False
        )
    except StoreError:
        raise
    except GridrollError as error:
        return _page(email, str(error)), 400
    if not made:
        abort(404)
    current_app.extensions.pop(KEPT, None)
    flash("Your account is made. Sign in with it.")
    return redirect(url_for("login.form"))


def _check(token: str) -> None:
    kept = current_app.extensions.get(KEPT)
    if kept is None or not hmac.compare_digest(kept, hash_of(token)):
        abort(404)
    with desk().database.reading() as reading:
        if has_users(reading):
            abort(404)


def _page(email: str, refused: str = "") -> str:
    return render_template("accounts/setup.html", email=email, shortest=SHORTEST, refused=refused)
