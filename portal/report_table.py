"""A session's report for the terminal."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from db.report import SessionReport
from portal.figures import figures
from portal.moments import clock, day, hours, zone
from portal.wording import minutes, percent, review_sentence, status

__all__ = ["report_table", "report_text"]

COLOURS = {
    "present": "green",
    "late": "yellow",
    "left_early": "magenta",
    "absent": "red",
    "excused": "cyan",
    "unverified": "blue",
}


def report_table(report: SessionReport) -> RenderableType:
    """Heading, attendance, balance and doubts; to be printed on a rich console."""
    session, found = report.session, figures(report)
    there = session.time_zone
    heading = Text.assemble(
        (session.title, "bold"),
        f" · {session.course} · {day(session.starts_at, there)}, "
        f"{hours(session.starts_at, there)}–{hours(session.ends_at, there)} {zone(session.starts_at, there)}",
    )
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("Student", "No", "Status", "Joined", "Last seen"):
        table.add_column(name)
    for name in ("Minutes", "Sure"):
        table.add_column(name, justify="right")
    for line in report.students:
        table.add_row(
            Text(line.name),
            Text(line.student_no),
            Text(status(line.status), COLOURS.get(line.status, "")),
            clock(line.joined_at, there),
            clock(line.last_seen_at, there),
            minutes(line.minutes),
            percent(line.confidence),
        )
    counts = ", ".join(f"{count} {status(word).lower()}" for word, count in found.statuses.items() if count)
    balance = Text(
        f"{found.balanced} of {found.looks} looks balance. "
        f"{found.searches} faces sent to recognition ({found.paid} billed); every look would have sent {found.heads}."
        if found.looks
        else "No look has been taken yet."
    )
    doubts = [
        Text(f"? {review_sentence(review, there)}", "yellow")
        for review in report.reviews
        if review.state == "open"
    ]
    roll: RenderableType = table if report.students else Text("Nobody is on the roster of this course.")
    return Group(heading, Text(""), roll, Text(""), Text(counts), balance, *doubts)


def report_text(report: SessionReport) -> str:
    """The same without colours, for a file."""
    console = Console(width=110, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(report_table(report))
    return capture.get()
