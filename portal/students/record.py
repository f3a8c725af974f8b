"""One student's page, and their photographs."""

from dataclasses import dataclass

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from db.due import due_of_student
from db.photos import find_photo
from db.students import record_lines, student_sheet
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.paging import Pager, page_number
from portal.students.blueprint import STUDENT, current, pages
from portal.uploads import picture_page
from recognizer.picture import shrunk_jpeg

__all__ = ["Draft", "page", "student_page"]

PER_PAGE = 50
SIZES = {"small": 128, "medium": 480}
"""Pixels of the longest side."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was filled into one of the page's forms, and why it was refused. `part`: which form.

    `lookalike`: number and name of whom the photograph looks like; `unlike`: it does not look like the student's others.
    """

    part: str = ""
    refused: str = ""
    text: str = ""
    reason: str = ""
    email: str = ""
    lookalike: tuple[str, str] | None = None
    unlike: bool = False


@pages.get(STUDENT)
@allowed(*STAFF)
@picture_page
def page(student_no: str) -> ResponseReturnValue:
    return student_page(student_no)


def student_page(student_no: str, draft: Draft | None = None) -> str:
    """Raises NotFoundError."""
    user, now, database = current(), desk().now(), desk().database
    number = page_number()
    with database.reading() as reading:
        sheet = student_sheet(reading, student_no, user.courses, now)
        due = due_of_student(reading, sheet.id)
    for session_id in due:
        desk().follow(session_id)
    with database.reading() as reading:
        if due:
            sheet = student_sheet(reading, student_no, user.courses, now)
        lines = record_lines(reading, sheet.id, user.courses, (number - 1) * PER_PAGE, PER_PAGE)
    return render_template(
        "students/page.html",
        student=sheet,
        lines=lines,
        running={line.session_id for line in lines if line.starts_at <= now < line.ends_at},
        pager=Pager.of(number, PER_PAGE, sheet.sessions),
        draft=draft or Draft(),
        most=desk().settings.max_faces_per_student,
        max_bytes=desk().settings.max_photo_bytes,
    )


@pages.get(f"{STUDENT}/photos/<int(max={2**63 - 1}):photo_id>.jpg")
@allowed(*STAFF)
def photo(student_no: str, photo_id: int) -> ResponseReturnValue:
    with desk().database.reading() as reading:
        find_photo(reading, student_no, photo_id)
    jpeg = desk().backroom.archive.read_photo(photo_id)
    side = SIZES.get(request.args.get("size", ""))
    response = make_response(jpeg if side is None else shrunk_jpeg(jpeg, side))
    response.headers["Content-Type"] = "image/jpeg"
    return response
