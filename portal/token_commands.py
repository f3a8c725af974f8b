"""`gridroll token`."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db.accounts import find_user
from db.actor import at_keyboard
from db.database import Database, open_database
from db.errors import NotFoundError
from db.people import find_course
from db.settings import load_settings
from db.tokens import SCOPES, add_token, list_tokens, revoke_token
from portal.accounts.token_words import token_state
from portal.bearer import hash_token, new_token

__all__ = ["token"]

WIDEST = 10_000


@click.group()
def token() -> None:
    """What programs sign in with: agents, and users of the API."""


def _database() -> closing[Database]:
    return closing(open_database(load_settings().resolved_database_url))


@token.command()
@click.argument("name")
@click.option(
    "--user", "email", required=True, metavar="EMAIL", help="Who it acts for: an instructor, staff, an admin."
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(list(SCOPES)),
    multiple=True,
    required=True,
    help="May be given several times.",
)
@click.option(
    "--course", "code", metavar="COURSE", help="The only course it reaches; else all that its user sees."
)
@click.option("--days", type=click.IntRange(1, 3650), help="How long it holds; for good if left out.")
def add(name: str, email: str, scopes: tuple[str, ...], code: str | None, days: int | None) -> None:
    """Make the token NAME and print it. It is shown this once and kept nowhere."""
    made = new_token()
    with _database() as database, database.writing() as writing:
        user = find_user(writing, email)
        if user is None:
            raise NotFoundError(f"there is no user {email!r}; 'gridroll user add' makes one")
        course = None if code is None else find_course(writing, code)
        ends = None if days is None else datetime.now(UTC) + timedelta(days=days)
        add_token(writing, name, hash_token(made), scopes, user, course, ends, at_keyboard())
    click.echo(made)


@token.command("list")
def list_() -> None:
    """All tokens; times are UTC."""
    with _database() as database, database.reading() as reading:
        rows, now = list_tokens(reading), datetime.now(UTC)
    table = Table("id", "name", "user", "course", "scopes", "made", "last used", "state", box=None)
    for row in rows:
        used = "–" if row.last_used_at is None else f"{row.last_used_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        course = "all of theirs" if row.course is None else row.course.code
        made = f"{row.made_at.astimezone(UTC):%Y-%m-%d}"
        cells = (
            str(row.id),
            row.name,
            row.user.email,
            course,
            row.scopes,
            made,
            used,
            token_state(row, now).words,
        )
        table.add_row(*map(Text, cells))
    console = Console()
    # A row stays a line for whatever reads it next; a terminal folds the cells instead.
    (console if console.is_terminal else Console(width=WIDEST)).print(table)


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who read it later.")
def revoke(token_id: int, reason: str) -> None:
    """End the token ID at once."""
    with _database() as database, database.writing() as writing:
        ended = revoke_token(writing, token_id, at_keyboard(), reason.strip())
    click.echo(f"Token {token_id} {'has ended' if ended else 'had ended already'}.")
