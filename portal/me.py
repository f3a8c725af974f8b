"""A student's own page."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from db.due import due_of_student
from db.report import student_record
from portal.access import allowed
from portal.desk import desk
from portal.figures import is_running, share
from portal.sign_in import viewer
from portal.strip import draw_strip
from portal.wording import STATUSES

__all__ = ["pages"]

pages = Blueprint("me", __name__)


@pages.get("/me")
@allowed("student")
def page() -> ResponseReturnValue:
    user, now = viewer(), desk().now()
    record = []
    if user is not None and user.student_id is not None:
        with desk().database.reading() as reading:
            due = due_of_student(reading, user.student_id)
        for session_id in due:
            desk().follow(session_id)
        with desk().database.reading() as reading:
            record = student_record(reading, user.student_id)
    return render_template(
        "me.html",
        record=[
            (session, entry, is_running(session, now), Markup(draw_strip(session, entry)))
            for session, entry in record
        ],
        share=share(record, now),
        statuses=STATUSES,
    )
