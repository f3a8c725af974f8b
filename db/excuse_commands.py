"""`gridroll excuse`."""

from contextlib import closing

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.actor import acting
from db.commands import parse_moment
from db.database import open_database
from db.errors import GridrollError
from db.excuses import add_excuse, excuses_of, withdraw_excuse
from db.ledger import catch_up
from db.people import find_student
from db.schema import Course, Student
from db.settings import load_settings

__all__ = ["excuse"]

BY = click.option("--by", metavar="EMAIL", help="Who does this; whoever is at the keyboard if left out.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")


@click.group()
def excuse() -> None:
    """Spans of time for which students are excused: who is absent then counts as excused, who comes as present."""


@excuse.command()
@click.argument("student_no")
@click.option(
    "--from", "from_", required=True, metavar="ISO", help="Sessions that begin from then on, e.g. 2026-11-20."
)
@click.option("--until", required=True, metavar="ISO", help="Sessions that begin before then.")
@click.option("--course", metavar="C", help="Of one course; of all if left out.")
@REASON
@BY
def add(student_no: str, from_: str, until: str, course: str | None, reason: str, by: str | None) -> None:
    """Excuse STUDENT_NO from the sessions that begin in a span of time; moments without an offset are UTC."""
    begins, ends, who = parse_moment(from_), parse_moment(until), acting(by)
    with closing(open_database(load_settings().resolved_database_url)) as database:
        number = database.transact(
            lambda writing: add_excuse(writing, student_no, course, begins, ends, reason, who).id,
            idempotent=False,
        )
        catch_up(database)
    click.echo(f"excuse {number} of {student_no} is on record")


@excuse.command("list")
@click.argument("student_no", required=False)
def list_(student_no: str | None) -> None:
    """The excuses in force, of all students or of STUDENT_NO, the newest first; times are UTC."""
    table = Table(box=None)
    for name in ("id", "student", "name", "course", "from (UTC)", "until (UTC)", "by", "reason"):
        table.add_column(name, no_wrap="UTC" in name)
    with (
        closing(open_database(load_settings().resolved_database_url)) as database,
        database.reading() as reading,
    ):
        of = None if student_no is None else find_student(reading, student_no).id
        for row in excuses_of(reading, of):
            student = reading.get_one(Student, row.student_id)
            course = "all" if row.course_id is None else reading.get_one(Course, row.course_id).code
            span = (f"{moment:%Y-%m-%d %H:%M}" for moment in (row.from_at, row.until_at))
            cells = (str(row.id), student.student_no, student.name, course, *span, row.made_by, row.reason)
            table.add_row(*map(Text, cells))
    Console(soft_wrap=True).print(table if table.rows else "No excuse is in force.")


@excuse.command()
@click.argument("excuse_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@REASON
@BY
def withdraw(excuse_id: int, reason: str, by: str | None) -> None:
    """Have excuse ID count no longer."""
    if not reason.strip():
        raise GridrollError("a withdrawal needs a reason; say why, for those who read it later")
    who = acting(by)
    with closing(open_database(load_settings().resolved_database_url)) as database:
        database.transact(
            lambda writing: withdraw_excuse(writing, excuse_id, reason.strip(), who), idempotent=False
        )
        catch_up(database)
    click.echo(f"excuse {excuse_id} is withdrawn")
