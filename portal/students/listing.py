"""The list of students: search, filters and pages."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from db.students import course_codes, list_students
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.paging import Pager, page_number
from portal.students.blueprint import current, pages
from portal.workers import takes_long

__all__ = ["listing"]

PER_PAGE = 50
LONGEST_SEARCH = 200
LACKS = {"photo": "No photograph", "face": "No face indexed", "consent": "No consent on record"}


@pages.get("/students")
@allowed(*STAFF)
@takes_long
def listing() -> ResponseReturnValue:
    user = current()
    search = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    course, lacks = request.args.get("course", ""), request.args.get("lacks", "")
    lacks = lacks if lacks in LACKS else ""
    number = page_number()
    with desk().database.reading() as reading:
        codes = course_codes(reading, user.courses)
        course = course if course in codes else ""
        first = (number - 1) * PER_PAGE
        total, lines = list_students(reading, user.courses, search, course, lacks, first, PER_PAGE)
    return render_template(
        "students/list.html",
        lines=lines,
        total=total,
        codes=codes,
        search=search,
        course=course,
        lacks=lacks,
        lacking=LACKS,
        pager=Pager.of(number, PER_PAGE, total),
    )
