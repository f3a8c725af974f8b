"""Signing in: the password, then the code where an account asks for one. No sign-in begins before both are right."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from flask import current_app, session

from db.accounts import user_of
from db.schema import User
from db.second_factors import take_step
from db.throttle import Tries
from portal.accounts.codes import box, matching_step
from portal.accounts.limits import CODES, PASSWORDS, PASSWORDS_HERE, attempt, client, succeeded
from portal.desk import desk
from portal.errors import PortalError
from portal.sign_in import begin, check_account

__all__ = ["Entered", "enter_code", "enter_password", "half_signed_in"]

HALF = "half"
"""In the cookie, which is signed: whose password was right, when, and a mark of that password."""

HALF_LASTS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a try. `code`: the password was right, and a code is wanted. `wait_s`: where nothing was tried."""

    state: Literal["in", "code", "refused", "wait", "unreadable"]
    wait_s: int = 0


def enter_password(email: str, password: str) -> Entered:
    """Try a password. Known and unknown accounts are answered alike."""
    account = Tries(PASSWORDS, email.strip().lower())
    here = Tries(PASSWORDS_HERE, client())
    wait_s = attempt(account, here)
    if wait_s is not None:
        return Entered("wait", wait_s)
    user = check_account(email, password)
    if user is None:
        return Entered("refused")
    if user.totp_secret is not None:
        session.clear()
        session[HALF] = [user.id, int(desk().now().timestamp()), _mark(user)]
        return Entered("code")
    begun = begin(user, lambda writing: succeeded(writing, account, returned=here))
    return Entered("in" if begun else "refused")


def half_signed_in() -> User | None:
    """The account whose password was right a moment ago and that still asks for a code."""
    held = session.get(HALF)
    if not held:
        return None
    user_id, since, mark = held
    if desk().now().timestamp() - since > HALF_LASTS.total_seconds():
        return None
    with desk().database.reading() as reading:
        user = user_of(reading, user_id)
    if user is None or not user.active or user.totp_secret is None or _mark(user) != mark:
        return None
    return user


def enter_code(user: User, code: str) -> Entered:
    """Try a code of a half signed in account. Each code is taken once."""
    assert user.totp_secret is not None
    codes, here = Tries(CODES, str(user.id)), Tries(PASSWORDS_HERE, client())
    wait_s = attempt(codes, here)
    if wait_s is not None:
        return Entered("wait", wait_s)
    try:
        secret = box().unseal(user.totp_secret)
    except PortalError as error:
        current_app.logger.error("the second factor of user %d: %s", user.id, error)
        return Entered("unreadable")
    user_id, step = user.id, matching_step(secret, code, desk().now())
    if step is None or not desk().database.transact(
        lambda writing: take_step(writing, user_id, step), idempotent=False
    ):
        return Entered("refused")
    passwords = Tries(PASSWORDS, user.email)
    begun = begin(user, lambda writing: succeeded(writing, codes, passwords, returned=here))
    return Entered("in" if begun else "refused")


def _mark(user: User) -> str:
    return hashlib.sha256(f"half\n{user.password_hash}".encode()).hexdigest()[:32]
