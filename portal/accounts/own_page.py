"""Everybody's page of their own account: password, second factor, sign-ins."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.accounts import end_sign_ins, open_sign_ins, set_password, user_of
from db.schema import User
from db.second_factors import add_second_factor, remove_second_factor, take_step
from db.throttle import Tries
from portal.access import EVERYBODY, allowed
from portal.accounts.codes import box, matching_step, new_secret, qr_picture, spaced
from portal.accounts.limits import CODES, attempt, succeeded, wait_words
from portal.accounts.own_password import refuse_password
from portal.accounts.passing import read_new_password
from portal.desk import desk
from portal.errors import PortalError
from portal.passwords import SHORTEST
from portal.sign_in import Viewer, hash_of, lifetime, viewer

__all__ = ["pages"]

pages = Blueprint("account", __name__)

WRONG_CODE = "That is not the code of this moment. Each code counts once; wait for the next one."
STALE = "The form is too old; scan this new picture."


@pages.get("/account")
@allowed(*EVERYBODY)
def page() -> ResponseReturnValue:
    return _page()


@pages.post("/account/password")
@allowed(*EVERYBODY)
def change_password() -> ResponseReturnValue:
    user = _viewer()
    try:
        password_hash = read_new_password(request.form)
    except PortalError as error:
        return _page("password", str(error)), 400
    refusal = refuse_password(user)
    if refusal is not None:
        return _page("password", refusal[0]), refusal[1]

    def change(writing: Session) -> None:
        set_password(writing, _row(writing, user), password_hash, user.actor, keep=hash_of(user.token))

    desk().database.transact(change)
    flash("Your password is changed. Everybody else who was signed in with the old one no longer is.")
    return redirect(url_for(".page"))


@pages.post("/account/sign-ins/end")
@allowed(*EVERYBODY)
def end_others() -> ResponseReturnValue:
    user = _viewer()
    desk().database.transact(
        lambda writing: end_sign_ins(writing, _row(writing, user), keep=hash_of(user.token))
    )
    flash("All your other sign-ins have ended.")
    return redirect(url_for(".page"))


@pages.get("/account/second-factor")
@allowed(*EVERYBODY)
def factor_form() -> ResponseReturnValue:
    with desk().database.reading() as reading:
        if _row(reading, _viewer()).totp_secret is not None:
            return redirect(url_for(".page"))
    return _factor_page(new_secret())


@pages.post("/account/second-factor")
@allowed(*EVERYBODY)
def add_factor() -> ResponseReturnValue:
    user = _viewer()
    secret = _sent_secret(user)
    if secret is None:
        return _factor_page(new_secret(), STALE), 400
    refusal = refuse_password(user)
    if refusal is not None:
        return _factor_page(secret, refusal[0]), refusal[1]
    step = matching_step(secret, request.form.get("code", ""), desk().now())
    if step is None:
        return _factor_page(secret, WRONG_CODE), 400
    sealed = box().seal(secret)
    desk().database.transact(
        lambda writing: add_second_factor(writing, _row(writing, user), sealed, step, user.actor)
    )
    flash("From now on, signing in asks for a code of your phone.")
    return redirect(url_for(".page"))


@pages.post("/account/second-factor/remove")
@allowed(*EVERYBODY)
def remove_factor() -> ResponseReturnValue:
    user = _viewer()
    refusal = refuse_password(user) or _refuse_code(user)
    if refusal is not None:
        return _page("factor", refusal[0]), refusal[1]
    desk().database.transact(lambda writing: remove_second_factor(writing, _row(writing, user), user.actor))
    flash("From now on, signing in asks for your password only.")
    return redirect(url_for(".page"))


def _refuse_code(user: Viewer) -> tuple[str, int] | None:
    with desk().database.reading() as reading:
        sealed = _row(reading, user).totp_secret
    if sealed is None:
        return None
    tries = Tries(CODES, str(user.user_id))
    wait_s = attempt(tries)
    if wait_s is not None:
        return wait_words(wait_s), 429
    try:
        secret = box().unseal(sealed)
    except PortalError as error:
        current_app.logger.error("the second factor of user %d: %s", user.user_id, error)
        return "The portal cannot read your second factor any more; ask an admin to remove it.", 400
    step = matching_step(secret, request.form.get("code", ""), desk().now())
    if step is None or not desk().database.transact(lambda writing: take_step(writing, user.user_id, step)):
        return WRONG_CODE, 400
    desk().database.transact(lambda writing: succeeded(writing, tries))
    return None


def _sent_secret(user: Viewer) -> str | None:
    """The secret of the picture that the form showed to this user; None for what no form of theirs holds."""
    try:
        user_id, _, secret = box().unseal(request.form.get("sealed", "")).partition(" ")
    except PortalError:
        return None
    return secret if user_id == str(user.user_id) else None


def _viewer() -> Viewer:
    user = viewer()
    assert user is not None
    return user


def _row(session: Session, user: Viewer) -> User:
    row = user_of(session, user.user_id)
    assert row is not None
    return row


def _page(part: str = "", refused: str = "") -> str:
    """`part`: of the page, which is refused."""
    user = _viewer()
    with desk().database.reading() as reading:
        row = _row(reading, user)
        sign_ins = open_sign_ins(reading, user.user_id, *lifetime())
    return render_template(
        "accounts/account.html",
        part=part,
        refused=refused,
        has_factor=row.totp_secret is not None,
        sign_ins=sign_ins,
        this=hash_of(user.token),
        shortest=SHORTEST,
    )


def _factor_page(secret: str, refused: str = "") -> str:
    user = _viewer()
    return render_template(
        "accounts/second_factor.html",
        picture=qr_picture(secret, user.email),
        spelled=spaced(secret),
        sealed=box().seal(f"{user.user_id} {secret}"),
        refused=refused,
    )
