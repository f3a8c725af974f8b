"""`gridroll course`."""

from contextlib import closing

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session

from db.accounts import find_user
from db.actor import acting
from db.courses import list_courses, set_rules
from db.database import open_database
from db.durations import parse_duration, parse_share
from db.errors import NotFoundError
from db.instructors import add_instructor, remove_instructor
from db.ledger import catch_up
from db.people import find_course
from db.settings import load_settings

__all__ = ["course"]


@click.group()
def course() -> None:
    """Courses and what they mean by late, left early and present."""


@course.command("list")
def list_() -> None:
    """The courses with their rules."""
    with (
        closing(open_database(load_settings().resolved_database_url)) as database,
        database.reading() as reading,
    ):
        lines = list_courses(reading)
    table = Table(
        "course", "time zone", "students", "sessions", "late after", "left early", "least presence", box=None
    )
    for line in lines:
        cells = (
            *(line.code, line.time_zone, str(line.students), str(line.sessions)),
            *(
                f"{line.late_after_s / 60:g} min",
                f"{line.left_early_s / 60:g} min",
                f"{line.min_presence:.0%}",
            ),
        )
        table.add_row(*map(Text, cells))
    Console(soft_wrap=True).print(table)


@course.command()
@click.argument("code", metavar="COURSE")
@click.argument("email")
@click.option("--remove", is_flag=True, help="Take the course from them instead.")
@click.option("--by", metavar="EMAIL", help="Who changes it; whoever is at the keyboard if left out.")
def instructor(code: str, email: str, remove: bool, by: str | None) -> None:
    """Let the instructor EMAIL see COURSE."""
    who = acting(by)

    def change(writing: Session) -> bool:
        found = find_user(writing, email)
        if found is None:
            raise NotFoundError(f"there is no user {email!r}; 'gridroll user add' makes one")
        return (remove_instructor if remove else add_instructor)(
            writing, find_course(writing, code), found, who
        )

    with closing(open_database(load_settings().resolved_database_url)) as database:
        changed = database.transact(change)
    state = "no longer sees" if remove else "sees"
    click.echo(f"{email} {state} {code}{'.' if changed else ', as before.'}")


@course.command()
@click.argument("code", metavar="COURSE")
@click.option(
    "--late-after", metavar="SPAN", help="Who comes this long after the beginning is late: 5m, 90s, 1h."
)
@click.option("--left-early", metavar="SPAN", help="Who leaves this long before the end left early.")
@click.option("--min-presence", metavar="SHARE", help="Who was there for less of the class is absent: 20%.")
@click.option(
    "--past", is_flag=True, help="For the sessions that have begun as well; else those keep what they had."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")
@click.option("--by", metavar="EMAIL", help="Who changes it; whoever is at the keyboard if left out.")
def rules(
    code: str,
    late_after: str | None,
    left_early: str | None,
    min_presence: str | None,
    past: bool,
    reason: str,
    by: str | None,
) -> None:
    """Change the attendance rules of COURSE."""
    wanted: dict[str, int | float] = {}
    if late_after is not None:
        wanted["late_after_s"] = parse_duration(late_after)
    if left_early is not None:
        wanted["left_early_s"] = parse_duration(left_early)
    if min_presence is not None:
        wanted["min_presence"] = parse_share(min_presence)
    if not wanted:
        raise click.UsageError("say which rule: --late-after, --left-early or --min-presence")
    who = acting(by)
    with closing(open_database(load_settings().resolved_database_url)) as database:
        begun = database.transact(
            lambda writing: set_rules(writing, code, wanted, past, who, reason.strip()), idempotent=False
        )
        catch_up(database)
    kept = "were folded anew" if past else "keep the rules they had"
    click.echo(f"{code} has its new rules; {begun} sessions that have begun {kept}")
