"""The list of courses, and the form that makes one."""

from zoneinfo import available_timezones

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.courses import add_course, course_cards
from portal.access import OFFICE, STAFF, allowed
from portal.courses.blueprint import Refusal, attempt, pages, user
from portal.courses.forms import DetailsForm
from portal.desk import desk
from portal.workers import takes_long

__all__ = ["TIME_ZONES", "listing", "make"]

TIME_ZONES = sorted(available_timezones())


@pages.get("/courses")
@allowed(*STAFF)
@takes_long
def listing() -> ResponseReturnValue:
    return _page(DetailsForm(time_zone="UTC"))


@pages.post("/courses")
@allowed(*OFFICE)
def make() -> ResponseReturnValue:
    form = DetailsForm.sent(request.form)

    def work(writing: Session) -> None:
        add_course(writing, form.code, form.details(), user().email)

    # What a lost connection left open would be told as "there is one already".
    refusal = attempt(work, idempotent=False)
    if refusal is not None:
        return _page(form, refusal), refusal.status
    flash(f"The course {form.code} is made. Its roster comes next.")
    return redirect(url_for("roster.page", code=form.code))


def _page(form: DetailsForm, refusal: Refusal | None = None) -> str:
    with desk().database.reading() as reading:
        lines = course_cards(reading, user().courses, desk().now())
    return render_template(
        "courses/listing.html", lines=lines, form=form, refusal=refusal, time_zones=TIME_ZONES
    )
