"""The pages of the history: of everything, and of one session."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.instructors import reaches_course, reaches_student
from db.people import find_course, find_student
from db.proof.history import HistoryPage, Names, Wanted, history_page
from db.report import session_line
from portal.access import STAFF, allowed
from portal.desk import desk
from portal.errors import PortalError
from portal.history.kinds import KINDS, OF_COURSES, scope_of_kind
from portal.history.words import About, HistoryLine, history_lines
from portal.reports.span import read_span
from portal.session_page import SESSION
from portal.sign_in import viewer

__all__ = ["pages"]

pages = Blueprint("history", __name__)

A_PAGE = 50
FIELDS = ("who", "kind", "course", "session", "student", "from", "to")
LONGEST = 254


@pages.get("/history")
@allowed(*STAFF)
def page() -> ResponseReturnValue:
    user = viewer()
    assert user is not None
    typed = {name: request.args.get(name, "").strip()[:LONGEST] for name in FIELDS}
    refused, found = "", HistoryPage((), Names(), None)
    with desk().database.reading() as reading:
        try:
            found = history_page(reading, _wanted(reading, typed, user.courses), _before(), A_PAGE)
        except (PortalError, NotFoundError) as error:
            refused = str(error).partition(";")[0] if isinstance(error, NotFoundError) else str(error)
    return (
        render_template(
            "history/page.html",
            lines=history_lines(found),
            older=found.older,
            typed=typed,
            kinds=KINDS if user.is_office else {kind: KINDS[kind] for kind in OF_COURSES},
            sees_all=user.is_office,
            refused=refused,
            link=_link,
            kept={name: text for name, text in typed.items() if text},
            is_first=_before() is None,
        ),
        400 if refused else 200,
    )


@pages.get(f"/sessions/{SESSION}/history")
@allowed(*STAFF)
def of_session(session_id: int) -> ResponseReturnValue:
    kind = request.args.get("kind", "")
    nouns, without = scope_of_kind("all" if kind == "all" else "people")
    with desk().database.reading() as reading:
        line = session_line(reading, session_id)
        wanted = Wanted(nouns=nouns, without=without, session_id=session_id)
        found = history_page(reading, wanted, _before(), A_PAGE)
    return render_template(
        "history/session.html",
        session=line,
        lines=history_lines(found),
        older=found.older,
        kind=kind if kind == "all" else None,
        link=_link,
        is_first=_before() is None,
    )


def _wanted(reading: Session, typed: dict[str, str], reach: frozenset[int] | None) -> Wanted:
    """Raises PortalError and NotFoundError for what cannot be looked for.

    `reach`: the courses that may be told of; what is not on their rosters is answered as what does not exist.
    """
    nouns, without = scope_of_kind(typed["kind"])
    number = typed["session"]
    if number and not (number.isascii() and number.isdecimal() and len(number) < 19):
        raise PortalError(f"session {number[:40]!r} is no number; the address of a session's page holds it")
    code, student_no = typed["course"], typed["student"]
    if reach is not None and code and not reaches_course(reading, reach, code):
        raise NotFoundError(f"there is no course {code!r}")
    if reach is not None and student_no and not reaches_student(reading, reach, student_no):
        raise NotFoundError(f"there is no student {student_no!r}")
    since, until = read_span(typed).moments("UTC")
    return Wanted(
        typed["who"],
        nouns,
        without,
        int(number) if number else None,
        find_course(reading, code).id if code else None,
        find_student(reading, student_no).id if student_no else None,
        since,
        until,
        reach,
    )


def _before() -> int | None:
    text = request.args.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _link(line: HistoryLine, about: About) -> str | None:
    """Where the page of a thing is that a line is about; None where there is none."""
    if about.key is None:
        return None
    session = next((one.key for one in line.about if one.kind == "session"), None)
    match about.kind:
        case "session":
            return url_for("sessions.page", session_id=about.key)
        case "student" if session is not None:
            return url_for("entries.page", session_id=session, student_no=about.key)
        case "student" if not about.removed:
            return url_for("students.page", student_no=about.key)
        case "course":
            return url_for("courses.page", code=about.key)
        case "review" if session is not None:
            return url_for("reviews.page", session_id=session, review_id=about.key)
    return None
