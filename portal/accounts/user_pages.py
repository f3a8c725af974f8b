"""Admins' pages of accounts: who there is, what they may do, and letting them in or not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.accounts import ROLES, add_user, set_active, user_of
from db.errors import GridrollError, StoreError
from db.roles import keep_an_admin, set_courses, set_role
from db.schema import User
from db.second_factors import remove_second_factor
from db.user_lists import PAGE, course_choices, list_users, user_sheet
from portal.access import allowed
from portal.accounts.links import FOR_INVITED, FOR_RESET, make_link
from portal.accounts.role_words import ROLE_WORDS
from portal.desk import desk
from portal.errors import PortalError
from portal.paging import Pager, page_number
from portal.passwords import unknown_password
from portal.sign_in import Viewer, viewer
from portal.told_once import tell_once, told_once

__all__ = ["pages"]

pages = Blueprint("users", __name__)

USER = f"/admin/users/<int(max={2**63 - 1}):user_id>"
LONGEST_REASON = 2000
STATES = {"active": True, "deactivated": False}


@dataclass(frozen=True, slots=True)
class NewUser:
    """What was typed into the form that adds somebody."""

    email: str = ""
    name: str = ""
    role: str = "instructor"
    course_ids: frozenset[int] = frozenset()


@pages.get("/admin/users")
@allowed("admin")
def listing() -> ResponseReturnValue:
    asked = request.args
    search, role, state = asked.get("q", "")[:100], asked.get("role", ""), asked.get("state", "")
    role, state = role if role in ROLES else "", state if state in STATES else ""
    with desk().database.reading() as reading:
        found = list_users(reading, desk().now(), search, role, STATES.get(state), page_number())
    return render_template(
        "accounts/users.html",
        found=found,
        pager=Pager.of(found.number, PAGE, found.found),
        search=search,
        role=role,
        state=state,
        roles=ROLE_WORDS,
    )


@pages.get("/admin/users/new")
@allowed("admin")
def new() -> ResponseReturnValue:
    return _new(NewUser())


@pages.post("/admin/users")
@allowed("admin")
def add() -> ResponseReturnValue:
    form, admin = request.form, _viewer()
    sent = NewUser(
        form.get("email", "").strip(), form.get("name", "").strip(), form.get("role", ""), _course_ids()
    )

    def make(writing: Session) -> tuple[int, str]:
        user = add_user(writing, sent.email, sent.role, unknown_password(), admin.email, sent.name)
        if sent.role == "instructor":
            set_courses(writing, user, sent.course_ids, admin.email)
        return user.id, make_link(writing, user, FOR_INVITED, admin.email)

    try:
        if len(sent.name) > 200:
            raise PortalError(f"the name has {len(sent.name)} characters; at most 200 fit")
        user_id, link = desk().database.transact(make, idempotent=False)
    except StoreError:
        raise
    except GridrollError as error:
        return _new(sent, str(error)), 400
    tell_once(_link_of(user_id), link)
    return redirect(url_for(".page", user_id=user_id))


@pages.get(USER)
@allowed("admin")
def page(user_id: int) -> ResponseReturnValue:
    return _page(user_id)


@pages.post(f"{USER}/role")
@allowed("admin")
def change_role(user_id: int) -> ResponseReturnValue:
    role = request.form.get("role", "")

    def change(writing: Session, user: User, actor: str, reason: str) -> str:
        if user.role == "admin" and role != "admin" and user.active:
            keep_an_admin(writing, user)
        changed = set_role(writing, user, role, actor, reason)
        return f"{user.email} is {ROLE_WORDS[role].name.lower()} now." if changed else "Nothing changed."

    return _change(user_id, "role", change)


@pages.post(f"{USER}/courses")
@allowed("admin")
def change_courses(user_id: int) -> ResponseReturnValue:
    course_ids = _course_ids()

    def change(writing: Session, user: User, actor: str, reason: str) -> str:
        del reason
        if user.role != "instructor":
            raise PortalError(f"{user.email} is {user.role}; only an instructor is tied to courses")
        changed = set_courses(writing, user, course_ids, actor)
        return f"The courses of {user.email} are changed." if changed else "Nothing changed."

    return _change(user_id, "courses", change)


@pages.post(f"{USER}/state")
@allowed("admin")
def change_state(user_id: int) -> ResponseReturnValue:
    active = request.form.get("active") == "yes"

    def change(writing: Session, user: User, actor: str, reason: str) -> str:
        if not active and not reason:
            raise PortalError("a reason is missing; say why, for those who read it later")
        if not active and user.role == "admin" and user.active:
            keep_an_admin(writing, user)
        changed = set_active(writing, user, active, actor, reason)
        state = "can sign in again" if active else "can no longer sign in"
        return f"{user.email} {state}." if changed else "Nothing changed."

    return _change(user_id, "state", change)


@pages.post(f"{USER}/link")
@allowed("admin")
def give_link(user_id: int) -> ResponseReturnValue:
    made: list[str] = []

    def change(writing: Session, user: User, actor: str, reason: str) -> str:
        del reason
        if not user.active:
            raise PortalError(f"{user.email} cannot sign in; activate the account first")
        made[:] = [make_link(writing, user, FOR_RESET, actor)]
        return ""

    answer = _change(user_id, "link", change)
    if made:
        tell_once(_link_of(user_id), made[0])
    return answer


@pages.post(f"{USER}/second-factor/remove")
@allowed("admin")
def remove_factor(user_id: int) -> ResponseReturnValue:
    def change(writing: Session, user: User, actor: str, reason: str) -> str:
        if not reason:
            raise PortalError("a reason is missing; say how you know that it is they who ask")
        removed = remove_second_factor(writing, user, actor, reason)
        return f"{user.email} signs in with the password only." if removed else "Nothing changed."

    return _change(user_id, "factor", change)


def _change(user_id: int, part: str, change: Callable[[Session, User, str, str], str]) -> ResponseReturnValue:
    """Change a user in one transaction; what is refused is said in the part of the page that asked for it."""
    actor, reason = _viewer().email, request.form.get("reason", "").replace("\r\n", "\n").strip()

    def work(writing: Session) -> str | None:
        user = user_of(writing, user_id, for_change=True)
        return None if user is None else change(writing, user, actor, reason)

    try:
        if len(reason) > LONGEST_REASON:
            raise PortalError(f"the reason has {len(reason)} characters; at most {LONGEST_REASON} fit")
        said = desk().database.transact(work, idempotent=False)
    except StoreError:
        raise
    except GridrollError as error:
        return _page(user_id, part, str(error), request.form), 400
    if said is None:
        abort(404)
    if said:
        flash(said)
    return redirect(url_for(".page", user_id=user_id))


def _link_of(user_id: int) -> str:
    return f"link of {user_id}"


def _viewer() -> Viewer:
    user = viewer()
    assert user is not None
    return user


def _course_ids() -> frozenset[int]:
    """Numbers that the ledger can hold; others name no course."""
    return frozenset(one for one in request.form.getlist("course", type=int) if 0 < one < 2**63)


def _new(sent: NewUser, refused: str = "") -> str:
    with desk().database.reading() as reading:
        courses = course_choices(reading)
    return render_template(
        "accounts/user_new.html", sent=sent, refused=refused, courses=courses, roles=ROLE_WORDS
    )


def _page(user_id: int, part: str = "", refused: str = "", sent: Mapping[str, str] | None = None) -> str:
    with desk().database.reading() as reading:
        sheet = user_sheet(reading, user_id, desk().now())
        courses = course_choices(reading) if sheet.line.role == "instructor" else []
    return render_template(
        "accounts/user.html",
        sheet=sheet,
        user=sheet.line,
        link=told_once(_link_of(user_id)),
        courses=courses,
        roles=ROLE_WORDS,
        part=part,
        refused=refused,
        sent=sent or {},
        is_self=_viewer().user_id == user_id,
    )
