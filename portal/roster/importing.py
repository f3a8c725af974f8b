"""The import of a roster: a file is handed in, what it would change is shown, and what was shown is confirmed."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.errors import RosterError
from db.people import find_course
from db.roster import ImportConflictError, RosterPlan, apply_roster, lock_course, plan_roster
from db.roster_file import RosterFile, parse_roster
from db.schema import Course
from portal.access import STAFF, allowed
from portal.bodies import takes
from portal.courses.blueprint import Refusal, attempt, user
from portal.desk import desk
from portal.errors import PortalError
from portal.roster.blueprint import ROSTER, pages
from portal.roster.listing import roster_page
from portal.roster.preview import Preview

__all__ = ["confirm", "preview"]

LARGEST_FILE = 2 * 1024 * 1024
MOST_STUDENTS = 5000
LARGEST_FORM = 5 * 1024 * 1024
"""A sealed file that hardly compresses is almost twice as large as it was."""

COLUMNS = ("student_no", "name", "email")


@pages.post(f"{ROSTER}/preview")
@allowed(*STAFF)
@takes(LARGEST_FORM)
def preview(code: str) -> ResponseReturnValue:
    upload = request.files.get("file")
    name = (upload.filename or "")[:120] if upload is not None else ""
    content = b""
    if upload is not None:
        content = upload.stream.read(LARGEST_FILE + 1)
        upload.close()
    try:
        if not name:
            raise PortalError("no file was chosen; choose one, then send it again")
        file = _read(content, name)
    except (PortalError, RosterError) as error:
        return roster_page(code, Refusal(str(error))), 400
    with desk().database.reading() as reading:
        course = find_course(reading, code)
        plan = _plan(reading, course, file)
    return _preview(course, file, plan, name, content)


@pages.post(f"{ROSTER}/confirm")
@allowed(*STAFF)
@takes(LARGEST_FORM, MOST_STUDENTS + 10)
def confirm(code: str) -> ResponseReturnValue:
    try:
        shown = Preview.unseal(request.form.get("preview", ""))
    except PortalError:
        text = "what you confirmed did not arrive whole; choose the file again"
        return roster_page(code, Refusal(text)), 400
    file = _read(shown.content, shown.file)
    removals = frozenset(request.form.getlist("remove"))

    def work(writing: Session) -> None:
        course = lock_course(writing, code)
        if (shown.course_id, shown.user_id) != (course.id, user().user_id):
            raise ImportConflictError("this was shown to somebody else, or for another course; look again")
        apply_roster(writing, course, _plan(writing, course, file), shown.digest, removals, user().email)

    refusal = attempt(work, idempotent=False)
    if refusal is not None:
        with desk().database.reading() as reading:
            course = find_course(reading, code)
            plan = _plan(reading, course, file)
        return _preview(course, file, plan, shown.file, shown.content, removals, refusal), refusal.status
    flash("The roster is imported.")
    return redirect(url_for(".page", code=code))


def _read(content: bytes, name: str) -> RosterFile:
    """Raises PortalError, RosterError."""
    # With a word before it, for these lines begin with a capital and a file's name stays as it is.
    called = f"the file {name}"
    if len(content) > LARGEST_FILE:
        raise PortalError(
            f"{called} is larger than {LARGEST_FILE >> 20} MB; a roster is not, choose another file"
        )
    file = parse_roster(content, called, COLUMNS)
    if len(file.lines) > MOST_STUDENTS:
        raise PortalError(f"{called} names {len(file.lines)} students; at most {MOST_STUDENTS} fit, split it")
    return file


def _plan(session: Session, course: Course, file: RosterFile) -> RosterPlan:
    return plan_roster(session, course, file, may_correct=user().is_office, visible=user().courses)


def _preview(
    course: Course,
    file: RosterFile,
    plan: RosterPlan,
    name: str,
    content: bytes,
    removals: frozenset[str] = frozenset(),
    refusal: Refusal | None = None,
) -> str:
    lines = file.lines.values()
    return render_template(
        "roster/preview.html",
        course=course,
        plan=plan,
        file=name,
        sealed=Preview(course.id, user().user_id, name, content, plan.digest).seal(),
        removals=removals,
        refusal=refusal,
        unread=[
            column
            for column, filled in (
                ("photo", any(line.photo for line in lines)),
                ("consent", any(line.consent for line in lines)),
            )
            if filled
        ],
    )
