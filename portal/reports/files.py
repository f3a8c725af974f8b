"""A course's report as files for spreadsheets."""

import csv
import io

from db.term import TermReport
from db.turnout import Turnout
from portal.report_files import fill_sheet
from portal.term_files import book_bytes, term_book

__all__ = ["report_xlsx", "turnout_csv"]

DAY_COLUMNS = ("date", "sessions", "persons", "looks", "heads", "identified", "settled_by_staff", "searches")


def report_xlsx(term: TermReport, turnout: Turnout) -> bytes:
    """The workbook of the term with the sheets Days and Hours besides."""
    book = term_book(term)
    fill_sheet(
        book.create_sheet("Days"),
        (
            *(f"Day ({turnout.time_zone})", "Sessions", "Persons seen", "Looks", "Heads counted"),
            *("Faces identified", "Settled by staff", "Faces searched"),
        ),
        (
            (
                *(day.on.isoformat(), day.sessions, day.persons, day.detections.looks, day.detections.heads),
                *(day.detections.identified, day.detections.reviewed, day.detections.searches),
            )
            for day in turnout.days
        ),
    )
    fill_sheet(
        book.create_sheet("Hours"),
        (f"Hour ({turnout.time_zone})", "Days with class", "Persons seen", "Persons a day"),
        ((f"{hour.hour:02}:00", hour.days, hour.persons, round(hour.average, 1)) for hour in turnout.hours),
    )
    return book_bytes(book)


def turnout_csv(turnout: Turnout) -> str:
    """A line for each day that had class; dates are those of the course's zone."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(DAY_COLUMNS)
    for day in turnout.days:
        found = day.detections
        writer.writerow(
            (
                *(day.on.isoformat(), day.sessions, day.persons, found.looks, found.heads),
                *(found.identified, found.reviewed, found.searches),
            )
        )
    return text.getvalue()
