"""What a course is called, where it is held, what late and absent mean in it, and who teaches it."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.agenda import begun_sessions
from db.courses import change_course, change_rules
from db.errors import GridrollError
from db.instructors import add_instructor, instructors_of, remove_instructor
from db.people import find_course
from portal.access import OFFICE, STAFF, allowed
from portal.courses.blueprint import COURSE, Refusal, attempt, pages, user
from portal.courses.forms import DetailsForm, RulesForm
from portal.courses.listing import TIME_ZONES
from portal.desk import desk

__all__ = ["add_teacher", "change", "remove_teacher", "rules", "settings"]


@pages.get(f"{COURSE}/settings")
@allowed(*STAFF)
def settings(code: str) -> ResponseReturnValue:
    return _page(code)


@pages.post(f"{COURSE}/details")
@allowed(*OFFICE)
def change(code: str) -> ResponseReturnValue:
    form, now = DetailsForm.sent(request.form), desk().now()

    def work(writing: Session) -> None:
        change_course(writing, code, form.details(), form.mark, user().email, now)

    refusal = attempt(work)
    if refusal is not None:
        return _page(code, details=form, refusal=refusal, at="details"), refusal.status
    flash("The course is saved.")
    return redirect(url_for(".settings", code=code))


@pages.post(f"{COURSE}/rules")
@allowed(*STAFF)
def rules(code: str) -> ResponseReturnValue:
    form, past = RulesForm.sent(request.form), request.form.get("past") == "yes"

    def work(writing: Session) -> None:
        wanted = form.rules(find_course(writing, code))
        change_rules(writing, code, wanted, past, form.mark, user().email, form.reason)

    refusal = attempt(work)
    if refusal is not None:
        return _page(code, rules=form, refusal=refusal, at="rules"), refusal.status
    flash(
        "The rules are saved. The sessions that have begun are being worked out anew."
        if past
        else "The rules are saved. Sessions that have begun keep the rules they had."
    )
    return redirect(url_for(".settings", code=code))


@pages.post(f"{COURSE}/instructors")
@allowed(*OFFICE)
def add_teacher(code: str) -> ResponseReturnValue:
    email = request.form.get("email", "").strip()

    def work(writing: Session) -> None:
        found = find_user(writing, email)
        if found is None:
            raise GridrollError(f"there is no account {email[:254]!r}; ask an admin to make one")
        add_instructor(writing, find_course(writing, code), found, user().email)

    refusal = attempt(work)
    if refusal is not None:
        return _page(code, refusal=refusal, at="instructors", email=email), refusal.status
    flash(f"{email.lower()} sees this course now.")
    return redirect(url_for(".settings", code=code, _anchor="instructors"))


@pages.post(f"{COURSE}/instructors/remove")
@allowed(*OFFICE)
def remove_teacher(code: str) -> ResponseReturnValue:
    email = request.form.get("email", "").strip()

    def work(writing: Session) -> None:
        found = find_user(writing, email)
        if found is not None:
            remove_instructor(writing, find_course(writing, code), found, user().email)

    refusal = attempt(work)
    if refusal is not None:
        return _page(code, refusal=refusal, at="instructors"), refusal.status
    flash(f"{email.lower()} no longer sees this course.")
    return redirect(url_for(".settings", code=code, _anchor="instructors"))


def _page(
    code: str,
    details: DetailsForm | None = None,
    rules: RulesForm | None = None,
    refusal: Refusal | None = None,
    at: str = "",
    email: str = "",
) -> str:
    """`at`: which of the forms was refused."""
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        instructors = instructors_of(reading, course.id)
        begun = begun_sessions(reading, course.id, desk().now())
    held_details, held_rules = DetailsForm.of(course), RulesForm.of(course)
    return render_template(
        "courses/settings.html",
        course=course,
        instructors=instructors,
        begun=begun,
        details=details or held_details,
        rules=rules or held_rules,
        # Who was told of a conflict has seen what is held now, and may outrank it.
        mark=held_details.mark,
        held_details=held_details,
        held_rules=held_rules,
        refusal=refusal,
        at=at,
        email=email,
        time_zones=TIME_ZONES,
    )
