"""`gridroll reviews`."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.actor import acting, at_keyboard
from db.database import open_database
from db.disputes import texts_of
from db.errors import EvidenceError
from db.evidence import open_archive
from db.judgements import forget_guest, reviews_of
from db.ledger import catch_up
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
        catch_up(database, session_id)
        with database.reading() as reading:
            find_session(reading, session_id)
            texts = texts_of(reading, [session_id])
            lines = [_line(row, texts.get(row.subject)) for row in reviews_of(reading, session_id)]
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
    for line in lines:
        if line["text"]:
            click.echo(f"\n{line['id']}: {line['text']}")


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
    click.echo(f"review {review_id} of session {session_id} is settled: not this person")


@reviews.command()
@REVIEW
@BY
@REASON
def dismiss(review_id: int, by: str | None, reason: str) -> None:
    """The doubt is not worth settling: what the machine said stands."""
    with _judging() as judging:
        session_id = judging.dismiss(review_id, _settlement(by, reason))
    click.echo(f"review {review_id} of session {session_id} is dismissed")


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
@REVIEW
@click.option(
    "--accept/--decline", "accepted", required=True, help="The student is right, or the entry stands."
)
@BY
@click.option("--text", required=True, metavar="TEXT", help="The answer; the student reads it.")
def answer(review_id: int, accepted: bool, by: str | None, text: str) -> None:
    """Answer a student's dispute. The entry itself stays as it is: 'gridroll entry set' corrects it."""
    with _judging() as judging:
        session_id = judging.answer(review_id, accepted, _settlement(by, text))
    outcome = "accepted" if accepted else "not accepted"
    click.echo(f"review {review_id} of session {session_id} is answered: {outcome}")


@reviews.command()
@click.argument("name")
def forget(name: str) -> None:
    """Remove the guest NAME and their face; heads they explained stay explained."""
    settings = load_settings()
    database = open_database(settings.resolved_database_url)
    try:
        with closing(open_archive(settings, database)) as archive:
            with suppress(EvidenceError):  # a crop that stays keeps nothing else from going; it is told below
                archive.erase_guest(name, at_keyboard())  # first, while the name tells which crops
            with database.writing() as writing:
                removed = forget_guest(writing, name, at_keyboard())
            # Once more, for looks that were under way: a guest who was forgotten has no name.
            if removed:
                archive.erase_guest("", at_keyboard())
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

    return Settlement(acting(by), reason.strip())


def _line(row: ReviewRow, text: str | None) -> dict[str, Any]:
    """`text`: what a student says in a dispute; None for all other reviews."""
    return {
        "id": row.id,
        "kind": row.kind,
        "student_no": row.student.student_no if row.student else None,
        "rival_no": row.rival.student_no if row.rival else None,
        "at": _iso(row.at),
        "state": row.state,
        "settled_by": row.settled_by,
        "settled_at": None if row.settled_at is None else _iso(row.settled_at),
        "reason": row.reason,
        "subject": row.subject,
        "beside": row.beside,
        "text": text,
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
