"""A session's report as data and as files: JSON, CSV and XLSX."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from db.report import SessionReport, StudentLine
from portal.moments import local, utc_text, zone
from portal.wording import review_note, review_sentence, review_state, status, trigger

__all__ = ["as_csv", "as_json", "as_xlsx", "file_stem", "fill_sheet", "safe_text"]

FORMULA_STARTS = "=+-@＝＋－＠\t\r\n"
"""A spreadsheet may run a cell that begins like this (OWASP, CSV injection)."""

NOT_IN_A_CELL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

NUMBER_FORMATS = {"Minutes": "0.0", "Confidence": "0%", "Attended": "0%"}

CSV_COLUMNS = (
    "student_no",
    "name",
    "status",
    "joined_at",
    "joined_after",
    "last_seen_at",
    "left_before",
    "minutes",
    "confidence_pct",
    "source",
)


def as_json(report: SessionReport) -> dict[str, Any]:
    """The report as plain values. Times are ISO 8601 in UTC, ending in `Z`."""
    session = report.session
    return {
        "session": {
            "id": session.id,
            "course": session.course,
            "title": session.title,
            "starts_at": utc_text(session.starts_at),
            "ends_at": utc_text(session.ends_at),
            "time_zone": session.time_zone,
        },
        "students": [_student(line) for line in report.students],
        "looks": [
            {
                "taken_at": utc_text(look.taken_at),
                "trigger": look.trigger,
                "headcount": look.headcount,
                "identified": look.identified,
                "unknown": look.unknown,
                "searches": look.searches,
                "paid": look.paid,
                "reviewed": look.reviewed,
            }
            for look in report.looks
        ],
        "reviews": [
            {
                "kind": review.kind,
                "student_no": review.student_no,
                "at": utc_text(review.at),
                "state": review.state,
                "id": review.id,
            }
            for review in report.reviews
        ],
    }


def _student(line: StudentLine) -> dict[str, Any]:
    return {
        "student_no": line.student_no,
        "name": line.name,
        "status": line.status,
        "joined_at": None if line.joined_at is None else utc_text(line.joined_at),
        "last_seen_at": None if line.last_seen_at is None else utc_text(line.last_seen_at),
        "minutes": round(line.minutes, 3),
        "confidence": None if line.confidence is None else round(line.confidence, 4),
        "intervals": [[utc_text(stay.seen_from), utc_text(stay.seen_to)] for stay in line.intervals],
    }


def as_csv(report: SessionReport) -> str:
    """The attendance as CSV, one line per student; times are ISO 8601 with the offset of the course's zone."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for line in report.students:
        moments = (line.joined_at, line.joined_after, line.last_seen_at, line.left_before)
        writer.writerow(
            (
                safe_text(line.student_no),
                safe_text(line.name),
                line.status,
                *(_local_text(moment, report.session.time_zone) for moment in moments),
                f"{line.minutes:.2f}",
                "" if line.confidence is None else f"{line.confidence * 100:.1f}",
                line.source,
            )
        )
    return text.getvalue()


def as_xlsx(report: SessionReport) -> bytes:
    """A workbook with the sheets Attendance, Looks and Reviews; times are those of the course's zone."""
    session, book = report.session, Workbook()
    name = zone(session.starts_at, session.time_zone)
    attendance = book.active
    assert isinstance(attendance, Worksheet)
    attendance.title = "Attendance"

    def there(moment: datetime | None) -> datetime | None:
        # A cell has no time zone; the heading names it.
        return (
            None if moment is None else local(moment, session.time_zone).replace(microsecond=0, tzinfo=None)
        )

    fill_sheet(
        attendance,
        (
            "Student no",
            "Name",
            "Status",
            f"Joined ({name})",
            f"Last seen ({name})",
            "Minutes",
            "Confidence",
            "Source",
        ),
        (
            (
                line.student_no,
                line.name,
                status(line.status),
                there(line.joined_at),
                there(line.last_seen_at),
                round(line.minutes, 1),
                line.confidence,
                line.source,
            )
            for line in report.students
        ),
    )
    fill_sheet(
        book.create_sheet("Looks"),
        (
            f"Time ({name})",
            "Why faces were asked about",
            "Headcount",
            "Identified",
            "Unknown",
            "Settled by staff",
            "Searches",
            "Paid",
        ),
        (
            (
                there(look.taken_at),
                trigger(look.trigger),
                look.headcount,
                look.identified,
                look.unknown,
                look.reviewed,
                look.searches,
                look.paid,
            )
            for look in report.looks
        ),
    )
    fill_sheet(
        book.create_sheet("Reviews"),
        (f"Time ({name})", "Student no", "What", "State", "Note"),
        (
            (
                there(review.at),
                review.student_no,
                review_sentence(review, session.time_zone),
                review_state(review),
                review_note(review),
            )
            for review in report.reviews
        ),
    )
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def file_stem(report: SessionReport) -> str:
    """A file name without its ending: letters, digits, dashes and underscores."""
    session = report.session
    course = re.sub(r"[^A-Za-z0-9_-]+", "-", session.course).strip("-") or "course"
    return f"{course}-{local(session.starts_at, session.time_zone):%Y-%m-%d}-session-{session.id}"


def safe_text(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.lstrip(" ")[:1] in tuple(FORMULA_STARTS) else text


def _local_text(moment: datetime | None, time_zone: str) -> str:
    return "" if moment is None else local(moment, time_zone).isoformat(timespec="seconds")


def fill_sheet(sheet: Worksheet, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Fill an empty sheet with a table. Whatever a text begins with, it stays text, headings included."""
    for column, heading in enumerate(headings, start=1):
        cell = sheet.cell(1, column)
        _put(cell, heading, "General")
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="24324A")
        cell.alignment = Alignment(vertical="center")
    widths = [len(heading) + 3 for heading in headings]
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column)
            _put(cell, value, NUMBER_FORMATS.get(headings[column - 1], "General"))
            shown = 19 if isinstance(value, datetime) else len(str(value)) + 2
            widths[column - 1] = min(max(widths[column - 1], shown), 80)
    for column, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _put(cell: Cell | MergedCell, value: Any, number_format: str) -> None:
    if isinstance(value, str):
        cell.value = NOT_IN_A_CELL.sub("\N{REPLACEMENT CHARACTER}", value)
        # Whatever it begins with, it is text, and stays text when somebody edits it.
        cell.data_type = "s"
        cell.quotePrefix = value[:1] in tuple(FORMULA_STARTS)
        return
    cell.value = value
    if isinstance(value, datetime):
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
    elif isinstance(value, float):
        cell.number_format = number_format
