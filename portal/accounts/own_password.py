"""Asks once more who it is: for what a sign-in that was left open must not do."""

from flask import request

from db.accounts import user_of
from db.throttle import Tries
from portal.accounts.limits import OWN_PASSWORDS, attempt, succeeded, wait_words
from portal.desk import desk
from portal.passwords import check_password
from portal.sign_in import Viewer

__all__ = ["refuse_password"]

WRONG_PASSWORD = "That is not your password; nothing was changed."


def refuse_password(user: Viewer) -> tuple[str, int] | None:
    """What is wrong with the current password that was sent, and the status that says so."""
    tries = Tries(OWN_PASSWORDS, str(user.user_id))
    wait_s = attempt(tries)
    if wait_s is not None:
        return wait_words(wait_s), 429
    with desk().database.reading() as reading:
        row = user_of(reading, user.user_id)
    assert row is not None
    if not check_password(row.password_hash, request.form.get("current", "")).matches:
        return WRONG_PASSWORD, 400
    desk().database.transact(lambda writing: succeeded(writing, tries))
    return None
