"""The page of one course."""

from flask import render_template
from flask.typing import ResponseReturnValue

from db.agenda import coming_sessions, course_counts, recent_sessions
from db.instructors import instructors_of
from db.people import find_course, member_ids
from db.roster import standings
from db.timetable import slots_of
from portal.access import STAFF, allowed
from portal.courses.blueprint import COURSE, pages
from portal.desk import desk

__all__ = ["page"]

MOST = 10
"""Sessions to come, and sessions that have begun, on the page."""


@pages.get(COURSE)
@allowed(*STAFF)
def page(code: str) -> ResponseReturnValue:
    now = desk().now()
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        students = member_ids(reading, course.id)
        limit, below = course.attendance_limit, None
        if limit is not None:
            standing = standings(reading, course.id, now)
            below = sum(
                came / counted < limit
                for student, (came, counted) in standing.items()
                if student in students and counted
            )
        return render_template(
            "courses/page.html",
            course=course,
            students=len(students),
            below=below,
            counts=course_counts(reading, course.id),
            slots=slots_of(reading, course.id),
            coming=coming_sessions(reading, course.id, now, MOST),
            recent=recent_sessions(reading, course.id, now, MOST),
            instructors=instructors_of(reading, course.id),
            now=now,
        )
