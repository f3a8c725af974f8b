"""A course's term for the terminal."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.term import TermReport
from portal.moments import day, hours
from portal.report_table import COLOURS
from portal.wording import STATUSES, attended_percent, minutes, status

__all__ = ["term_table", "term_text"]

MARKS = {"present": "P", "late": "L", "left_early": "E", "absent": "A", "excused": "X", "unverified": "?"}
NOT_EXPECTED = "·"


def term_table(report: TermReport) -> RenderableType:
    """Students with a letter for each session, then the sessions; to be printed on a rich console."""
    heading = Text.assemble((report.course, "bold"), f" · {_many(len(report.sessions), 'session')}")
    if not report.sessions:
        return Group(heading, Text("No session begins in this time."))
    legend = Text(" ").join(
        Text.assemble((mark, COLOURS[word]), f" {status(word).lower()}") for word, mark in MARKS.items()
    )
    return Group(
        heading,
        Text(""),
        _students(report) if report.students else Text("Nobody is on the roster of this course."),
        Text(""),
        legend,
        Text(
            "Attended: present, late or left early. Excused, unverified and running sessions are left out.",
            "dim",
        ),
        Text(""),
        _sessions(report),
    )


def term_text(report: TermReport) -> str:
    """The same without colours, for a file or a program; wide enough that no line is broken."""
    console = Console(width=150 + len(report.sessions), no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(term_table(report))
    return capture.get()


def _students(report: TermReport) -> Table:
    table = _table("Student", "No", "Sessions", right=("Came", "Of", "Attended", "Minutes"))
    for line in report.students:
        marks = Text.assemble(
            *((MARKS.get(word or "", NOT_EXPECTED), COLOURS.get(word or "", "dim")) for word in line.statuses)
        )
        figures = (str(line.attended), str(line.counted), attended_percent(line.share), minutes(line.minutes))
        table.add_row(Text(line.name), Text(line.student_no), marks, *figures)
    return table


def _sessions(report: TermReport) -> Table:
    names = [name for name, _ in STATUSES.values()]
    table = _table("Session", "Title", "Starts", right=(*names, "Attended"))
    for one in report.sessions:
        starts = f"{day(one.starts_at, report.time_zone)} {hours(one.starts_at, report.time_zone)}"
        counts = (
            [str(one.counts.get(word, 0)) for word in STATUSES]
            if one.held
            else [NOT_EXPECTED] * len(STATUSES)
        )
        table.add_row(str(one.id), Text(one.title), starts, *counts, attended_percent(one.share))
    return table


def _table(*left: str, right: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in left:
        table.add_column(name)
    for name in right:
        table.add_column(name, justify="right")
    return table


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
