"""A course's term as data and as files: JSON, CSV and XLSX."""

import csv
import io
from typing import Any

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from db.term import TermReport, TermSession
from portal.moments import local, utc_text
from portal.report_files import fill_sheet, safe_text
from portal.wording import STATUSES, status

__all__ = ["book_bytes", "term_book", "term_csv", "term_json", "term_xlsx"]


def term_json(report: TermReport) -> dict[str, Any]:
    """The term as plain values. Times are ISO 8601 in UTC, ending in `Z`; a student's statuses are in the sessions' order."""
    return {
        "course": report.course,
        "time_zone": report.time_zone,
        "sessions": [
            {
                "id": one.id,
                "title": one.title,
                "starts_at": utc_text(one.starts_at),
                "ends_at": utc_text(one.ends_at),
                "held": one.held,
                "running": one.running,
                "counts": dict(one.counts),
                "attended": one.attended,
                "counted": one.counted,
                "share": one.share,
            }
            for one in report.sessions
        ],
        "students": [
            {
                "student_no": line.student_no,
                "name": line.name,
                "statuses": list(line.statuses),
                "counts": dict(line.counts),
                "attended": line.attended,
                "counted": line.counted,
                "share": line.share,
                "minutes": line.minutes,
            }
            for line in report.students
        ],
    }


def term_csv(report: TermReport) -> str:
    """A line for each student: counts, share and minutes, then a column for each session, empty where none is expected."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    figures = ("attended", "counted", "attended_pct", "minutes")
    sessions = (safe_text(_heading(one, report.time_zone)) for one in report.sessions)
    writer.writerow(("student_no", "name", *STATUSES, *figures, *sessions))
    for line in report.students:
        writer.writerow(
            (
                safe_text(line.student_no),
                safe_text(line.name),
                *(line.counts.get(word, 0) for word in STATUSES),
                line.attended,
                line.counted,
                "" if line.share is None else f"{100 * line.share:.1f}",
                f"{line.minutes:.1f}",
                *(word or "" for word in line.statuses),
            )
        )
    return text.getvalue()


def term_xlsx(report: TermReport) -> bytes:
    """See `term_book`."""
    return book_bytes(term_book(report))


def book_bytes(book: Workbook) -> bytes:
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def term_book(report: TermReport) -> Workbook:
    """A workbook with the sheets Students and Sessions; times are those of the course's zone."""
    book = Workbook()
    students = book.active
    assert isinstance(students, Worksheet)
    students.title = "Students"
    names = tuple(name for name, _ in STATUSES.values())
    figures = ("Came", "Of", "Attended", "Minutes")
    sessions = (_heading(one, report.time_zone) for one in report.sessions)
    fill_sheet(
        students,
        ("Student no", "Name", *names, *figures, *sessions),
        (
            (
                line.student_no,
                line.name,
                *(line.counts.get(word, 0) for word in STATUSES),
                line.attended,
                line.counted,
                line.share,
                round(line.minutes, 1),
                *(None if word is None else status(word) for word in line.statuses),
            )
            for line in report.students
        ),
    )
    students.freeze_panes = "C2"
    fill_sheet(
        book.create_sheet("Sessions"),
        ("Session", "Title", f"Starts ({report.time_zone})", *names, "Came", "Of", "Attended"),
        (
            (
                one.id,
                one.title,
                local(one.starts_at, report.time_zone).replace(microsecond=0, tzinfo=None),
                *(one.counts.get(word, 0) for word in STATUSES),
                one.attended,
                one.counted,
                one.share,
            )
            for one in report.sessions
        ),
    )
    return book


def _heading(one: TermSession, time_zone: str) -> str:
    """The session's beginning and its number: titles repeat."""
    return f"{local(one.starts_at, time_zone):%Y-%m-%d %H:%M} #{one.id}"
