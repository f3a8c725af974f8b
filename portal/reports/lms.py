"""Files that Moodle and Canvas import. Their columns are those that these programs look for; see docs/admin.md.

They carry no byte order mark: programs read them, and the first column's name must be exact.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from db.term import TermLine, TermReport, TermSession
from portal.moments import local
from portal.report_files import safe_text
from portal.wording import status

__all__ = ["canvas_grades", "moodle_grades", "moodle_session", "moodle_term"]

MOODLE_STATUSES = {"present": "P", "late": "L", "left_early": "L", "absent": "A", "excused": "E"}
"""Acronyms of the attendance plugin's own statuses. It has none for who left early; the remark says so."""

POINTS = 100
ASSIGNMENT = "Attendance"


def moodle_grades(report: TermReport) -> str:
    """For Moodle's grade import: a share of 100 for each student, empty where no session counts."""
    return _csv(
        ("ID number", "Email address", ASSIGNMENT),
        ((safe_text(line.student_no), safe_text(line.email), _points(line)) for line in report.students),
    )


def moodle_session(report: TermReport, session_id: int) -> str:
    """For the attendance plugin's import into one session. Who is unverified is left out; nothing is said of them.

    Nor of anybody where the session is to come.
    """
    places = [place for place, one in enumerate(report.sessions) if one.id == session_id]
    found = (
        (line, MOODLE_STATUSES.get(line.statuses[place] or ""))
        for place in places
        for line in report.students
    )
    return _csv(
        ("idnumber", "status", "email"),
        ((safe_text(line.student_no), word, safe_text(line.email)) for line, word in found if word),
    )


def moodle_term(report: TermReport) -> str:
    """For the attendance plugin's import into many sessions, which it knows by day and hour of its server's clock."""
    return _csv(("sessiondate", "idnumber", "status", "remarks", "email"), _marks(report))


def canvas_grades(report: TermReport) -> str:
    """For Canvas's gradebook import: one assignment of 100 points."""
    rows = (
        (safe_text(line.name), "", safe_text(line.student_no), safe_text(line.email), "", _points(line))
        for line in report.students
    )
    return _csv(
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT),
        [("    Points Possible", "", "", "", "", str(POINTS)), *rows],
    )


def _marks(report: TermReport) -> Iterable[Sequence[str]]:
    for place, one in enumerate(report.sessions):
        for line in report.students:
            mark = line.statuses[place]
            word = MOODLE_STATUSES.get(mark or "")
            if mark is not None and word is not None:
                yield (
                    *(_begins(one, report.time_zone), safe_text(line.student_no), word),
                    *("" if mark == "present" else status(mark), safe_text(line.email)),
                )


def _begins(one: TermSession, time_zone: str) -> str:
    return f"{local(one.starts_at, time_zone):%Y-%m-%d %H:%M}"


def _points(line: TermLine) -> str:
    return "" if line.share is None else f"{line.share * POINTS:.2f}"


def _csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()
