"""Addresses that set a password, once: made here, and written to those who asked for one."""

import secrets
from datetime import timedelta

from flask import url_for
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.password_links import add_link
from db.post import mail_server, send
from db.schema import User
from portal.desk import desk
from portal.paths import public_address
from portal.sign_in import hash_of

__all__ = ["FOR_INVITED", "FOR_RESET", "mail_reset", "make_link", "sends_mail"]

FOR_RESET = timedelta(hours=1)
FOR_INVITED = timedelta(days=7)

TEXT = """Somebody, probably you, asked Gridroll for a new password for {email}.

Set it here, once and within an hour:

    {link}

If it was not you, do nothing: your password stays as it is.
"""


def _address(token: str) -> str:
    return public_address(url_for("recovery.reset_form", token=token))


def make_link(writing: Session, user: User, lifetime: timedelta, actor: str | None = None) -> str:
    """Keep a new link of a user and return its address. It is not stored anywhere."""
    token = secrets.token_urlsafe(32)
    add_link(writing, user, hash_of(token), desk().now(), lifetime, actor)
    return _address(token)


def sends_mail() -> bool:
    return bool(desk().settings.smtp_url)


def mail_reset(email: str) -> None:
    """Send a link to the account of that address, after the answer; to nobody where there is none."""
    found = desk()
    server = mail_server(found.settings)
    token = secrets.token_urlsafe(32)
    link, now = _address(token), found.now()

    def keep(writing: Session) -> str | None:
        user = find_user(writing, email)
        if user is None or not user.active:
            return None
        add_link(writing, user, hash_of(token), now, FOR_RESET)
        return user.email

    def errand() -> None:
        to = found.database.transact(keep, idempotent=False)
        if to is not None:
            send(server, to, "A new password for Gridroll", TEXT.format(email=to, link=link))

    found.errands.run(errand)
