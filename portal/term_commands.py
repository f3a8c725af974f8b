"""`gridroll term`."""

import json
import sys
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from db.commands import parse_moment
from db.database import open_database
from db.ledger import catch_up
from db.people import find_course
from db.settings import load_settings
from db.term import TermReport, term_report
from portal.output import write
from portal.term_table import term_table, term_text

__all__ = ["term"]


@click.command()
@click.argument("course")
@click.option(
    "--from",
    "from_",
    metavar="ISO",
    help="Sessions that begin from then on; a date is a day in the course's time zone.",
)
@click.option(
    "--to", "until", metavar="ISO", help="Sessions that begin before then; a date includes that day."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["table", "json", "csv", "xlsx"]),
    default="table",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE instead of standard output.",
)
def term(course: str, from_: str | None, until: str | None, kind: str, output: Path | None) -> None:
    """Who came to which session of COURSE, and how often."""
    if kind == "xlsx" and output is None and sys.stdout.isatty():
        raise click.UsageError("a workbook is no text for a terminal; name a file with --output")
    with closing(open_database(load_settings().resolved_database_url)) as database:
        catch_up(database)
        with database.reading() as reading:
            zone = ZoneInfo(find_course(reading, course).time_zone)
            begins, ends = _edge(from_, zone, timedelta()), _edge(until, zone, timedelta(days=1))
            found = term_report(reading, course, datetime.now(UTC), begins, ends)
    if kind == "table" and output is None and sys.stdout.isatty():
        Console(highlight=False).print(term_table(found))
        return
    write(_content(found, kind), output)


def _content(found: TermReport, kind: str) -> bytes:
    # Imported here: a table in the terminal does not wait for the workbook library.
    from portal.term_files import term_csv, term_json, term_xlsx

    match kind:
        case "json":
            return (json.dumps(term_json(found), ensure_ascii=False, indent=2) + "\n").encode()
        case "csv":
            return term_csv(found).encode()
        case "xlsx":
            return term_xlsx(found)
    return term_text(found).encode()


def _edge(text: str | None, zone: ZoneInfo, of_a_day: timedelta) -> datetime | None:
    """A moment; of a date, the midnight that begins it, or `of_a_day` later. Raises GridrollError."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_moment(text)
    return datetime.combine(day, time(), zone) + of_a_day
