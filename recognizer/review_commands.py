"""`gridroll reviews`."""

import getpass
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.database import open_database
from db.judgements import forget_guest, reviews_of
from db.schema import ReviewRow
from db.sessions import find_session
from db.settings import load_settings
from recognizer.errors import RecognizerError

__all__ = ["reviews"]

REVIEW = click.argument("review_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
BY = click.option("--by", metavar="EMAIL", help="Who settles it; whoever is at the keyboard if left out.")
REASON = click.option("--reason", default="", metavar="TEXT", help="Why, for those who read it later.")


@click.group()
def reviews() -> None:
    """What does not add up in a session, and settling it."""


@reviews.command("list")
@click.argument("session_id", metavar="SESSION", type=click.IntRange(1, 2**63 - 1))
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(session_id: int, kind: str) -> None:
    """The reviews of SESSION, open and settled; times are UTC."""
    database = open_database(load_settings().resolved_database_url)
    try:
        with database.reading() as reading:
            find_session(reading, session_id)
            lines = [_line(row) for row in reviews_of(reading, session_id)]
    finally:
        database.close()
    if kind == "json":
        click.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        return
    table = Table("id", "at (UTC)", "kind", "student", "or", "state", box=None)
    for line in lines:
        cells = (
            *(str(line["id"]), line["at"][:19].replace("T", " "), line["kind"].replace("_", " ")),
            *(line["student_no"] or "", line["rival_no"] or "", line["state"]),
        )
        table.add_row(*map(Text, cells))
    Console(soft_wrap=True).print(table)


@reviews.command()
@REVIEW
@click.option("--student", "student_no", metavar="NO", help="Who it is, where it is not the one suspected.")
@BY
@REASON
def confirm(review_id: int, student_no: str | None, by: str | None, reason: str) -> None:
    """It is the student (of a headcount: it is explained)."""
    with _judging() as judging:
        session_id = judging.confirm(review_id, student_no, _settlement(by, reason))
    click.echo(f"review {review_id} of session {session_id} is confirmed")


@reviews.command()
@REVIEW
@click.option(
    "--student", "student_no", metavar="NO", help="Who it is not, where it is not the one suspected."
)
@BY
@REASON
def reject(review_id: int, student_no: str | None, by: str | None, reason: str) -> None:
    """It is not the student: this face is never given that name again."""
    with _judging() as judging:
        session_id = judging.reject(review_id, student_no, _settlement(by, reason))
    click.echo(f"review {review_id} of session {session_id} is rejected")


@reviews.command()
@REVIEW
@click.argument("name")
@BY
@REASON
def guest(review_id: int, name: str, by: str | None, reason: str) -> None:
    """It is a guest, to be known as NAME from now on."""
    with _judging() as judging:
        session_id = judging.guest(review_id, name, _settlement(by, reason))
    click.echo(f"review {review_id} of session {session_id} is about a guest")


@reviews.command()
@click.argument("name")
def forget(name: str) -> None:
    """Remove the guest NAME and their face; heads they explained stay explained."""
    database = open_database(load_settings().resolved_database_url)
    try:
        with database.writing() as writing:
            removed = forget_guest(writing, name)
    finally:
        database.close()
    if not removed:
        raise RecognizerError(f"there is no guest {name!r}; write the name as it was given")
    click.echo(f"{name} is forgotten ({removed} verdicts)")


@contextmanager
def _judging() -> Iterator[Any]:
    from db.face_cache import open_cache
    from recognizer.judging import Judging

    settings = load_settings()
    database = open_database(settings.resolved_database_url)
    try:
        cache = open_cache(settings.cache_url, settings.home / "cache")
        try:
            yield Judging(database, cache, settings)
        finally:
            cache.close()
    finally:
        database.close()


def _settlement(by: str | None, reason: str) -> Any:
    from recognizer.judging import Settlement

    who = by or f"{getpass.getuser()}@{socket.gethostname()}"
    if "@" not in who or len(who) > 254:
        raise RecognizerError(f"{who[:40]!r} is no e-mail address; give --by the one of who settles it")
    return Settlement(who, reason.strip())


def _line(row: ReviewRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "student_no": row.student.student_no if row.student else None,
        "rival_no": row.rival.student_no if row.rival else None,
        "at": row.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "state": row.state,
        "subject": row.subject,
        "beside": row.beside,
    }
