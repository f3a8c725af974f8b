"""Pages of tokens, what programs sign in with: of all for admins, of their own for other staff.

A token is shown when it is made, and never again.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.errors import GridrollError, NotFoundError, StoreError
from db.people import find_course
from db.tokens import SCOPES, add_token, list_tokens, revoke_token
from db.user_lists import course_choices, token_users
from portal.access import STAFF, allowed
from portal.accounts.own_password import refuse_password
from portal.accounts.token_words import token_state
from portal.bearer import hash_token, new_token
from portal.desk import desk
from portal.errors import PortalError
from portal.sign_in import Viewer, viewer
from portal.told_once import tell_once, told_once

__all__ = ["pages"]

pages = Blueprint("tokens", __name__)

TOKENS = "/admin/tokens"
OWN = "/account/tokens"
SHOWN = "token"
LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class NewToken:
    """What was typed into the form that makes one. `course`: a code, empty for all. `until`: the last day, or empty."""

    name: str = ""
    user: str = ""
    scopes: frozenset[str] = frozenset({"observations"})
    course: str = ""
    until: str = ""


@pages.get(TOKENS)
@allowed("admin")
def listing() -> ResponseReturnValue:
    return _listing(None)


@pages.get(f"{TOKENS}/new")
@allowed("admin")
def new() -> ResponseReturnValue:
    return _new(NewToken(), None)


@pages.post(TOKENS)
@allowed("admin")
def add() -> ResponseReturnValue:
    return _add(None)


@pages.post(f"{TOKENS}/<int(max={2**63 - 1}):token_id>/revoke")
@allowed("admin")
def revoke(token_id: int) -> ResponseReturnValue:
    return _revoke(token_id, None)


@pages.get(OWN)
@allowed(*STAFF)
def own() -> ResponseReturnValue:
    return _listing(_viewer())


@pages.get(f"{OWN}/new")
@allowed(*STAFF)
def new_own() -> ResponseReturnValue:
    return _new(NewToken(), _viewer())


@pages.post(OWN)
@allowed(*STAFF)
def add_own() -> ResponseReturnValue:
    return _add(_viewer())


@pages.post(f"{OWN}/<int(max={2**63 - 1}):token_id>/revoke")
@allowed(*STAFF)
def revoke_own(token_id: int) -> ResponseReturnValue:
    return _revoke(token_id, _viewer())


def _add(owner: Viewer | None) -> ResponseReturnValue:
    """`owner`: for whom it is, whatever was sent; None: for the user that was chosen."""
    form = request.form
    name, user, course, until = (form.get(field, "").strip() for field in ("name", "user", "course", "until"))
    scopes = frozenset(form.getlist("scope"))
    sent = NewToken(name, user if owner is None else owner.email, scopes, course, until)
    refusal = None if owner is None else refuse_password(owner)
    if refusal is not None:
        return _new(sent, owner, refusal[0]), refusal[1]
    token = new_token()
    try:
        ends = _end(sent.until)
        desk().database.transact(
            lambda writing: _make(writing, sent, hash_token(token), ends, owner), idempotent=False
        )
    except StoreError:
        raise
    except GridrollError as error:
        return _new(sent, owner, str(error)), 400
    tell_once(SHOWN, token)
    return redirect(url_for(".listing" if owner is None else ".own"))


def _revoke(token_id: int, owner: Viewer | None) -> ResponseReturnValue:
    reason, actor = request.form.get("reason", "").strip(), _viewer().email
    if owner is not None and not _is_of(token_id, owner):
        abort(404)
    if not reason or len(reason) > LONGEST_REASON:
        wrong = (
            "A reason is missing; say why, for those who read it later."
            if not reason
            else f"The reason has {len(reason)} characters; at most {LONGEST_REASON} fit."
        )
        return _listing(owner, wrong, token_id, reason), 400
    ended = desk().database.transact(lambda writing: revoke_token(writing, token_id, actor, reason))
    flash("The token has ended." if ended else "The token had ended already.")
    return redirect(url_for(".listing" if owner is None else ".own"))


def _is_of(token_id: int, owner: Viewer) -> bool:
    with desk().database.reading() as reading:
        return any(row.id == token_id for row in list_tokens(reading, owner.user_id))


def _make(
    writing: Session, sent: NewToken, token_hash: str, ends: datetime | None, owner: Viewer | None
) -> None:
    user = find_user(writing, sent.user)
    if user is None:
        raise PortalError("a user is missing; choose for whom the token acts")
    course = find_course(writing, sent.course) if sent.course else None
    if (
        course is not None
        and owner is not None
        and owner.courses is not None
        and course.id not in owner.courses
    ):
        # As for a course that is not there.
        raise NotFoundError(f"there is no course {sent.course!r}")
    held = [row for row in list_tokens(writing, user.id) if token_state(row, desk().now()).holds]
    # A form that was sent twice, else.
    if any(row.name == sent.name for row in held):
        raise PortalError(
            f"{user.email} has a token {sent.name[:40]!r} already; revoke it, or take another name"
        )
    add_token(writing, sent.name, token_hash, sorted(sent.scopes), user, course, ends, _viewer().email)


def _end(until: str) -> datetime | None:
    """The end of that day (UTC)."""
    if not until:
        return None
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise PortalError(f"{until[:20]!r} is no day; write e.g. 2027-02-28, or leave it empty") from error
    ends = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    if ends <= desk().now():
        raise PortalError(f"{until} is over; choose a later day, or leave it empty")
    return ends


def _viewer() -> Viewer:
    user = viewer()
    assert user is not None
    return user


def _listing(owner: Viewer | None, refused: str = "", token_id: int | None = None, reason: str = "") -> str:
    now = desk().now()
    with desk().database.reading() as reading:
        found = list_tokens(reading, None if owner is None else owner.user_id)
    return render_template(
        "accounts/tokens.html",
        rows=[(row, token_state(row, now)) for row in found],
        scopes=SCOPES,
        refused=refused,
        refused_id=token_id,
        reason=reason,
        owner=owner,
        token=told_once(SHOWN),
    )


def _new(sent: NewToken, owner: Viewer | None, refused: str = "") -> str:
    with desk().database.reading() as reading:
        users = token_users(reading) if owner is None else []
        courses = course_choices(reading, None if owner is None else owner.courses)
    return render_template(
        "accounts/token_new.html",
        sent=sent,
        refused=refused,
        users=users,
        courses=courses,
        scopes=SCOPES,
        owner=owner,
    )
