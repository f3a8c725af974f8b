"""`gridroll audit`."""

import json
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from db.commands import parse_moment
from db.database import Database, open_database
from db.errors import GridrollError
from db.post import mail_server, send
from db.proof.anchor import Anchor, anchor_now, read_anchor, write_anchor
from db.proof.chain import head_of
from db.proof.reviews import check_ledgers
from db.proof.trail import Noted, changes_of, wording
from db.proof.verification import verify_all
from db.schema import AuditRow
from db.settings import load_settings

__all__ = ["audit"]

WIDEST = 10_000
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def audit() -> None:
    """What was changed, by whom, when and why, and whether anything was changed behind its back."""


def _database() -> closing[Database]:
    return closing(open_database(load_settings().resolved_database_url))


@audit.command()
@click.option(
    "--anchor",
    "anchors",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="An earlier end of the chain that it must contain. May be given several times.",
)
@click.option(
    "--ledger",
    is_flag=True,
    help="Fold every session anew as well, and compare; takes a while for a long term.",
)
def verify(anchors: tuple[Path, ...], ledger: bool) -> None:
    """Check every row of the chain, and every record that it tells of."""
    held = [read_anchor(path) for path in anchors]
    with _database() as database, database.reading() as session:
        found = verify_all(session, held)
        ledgers = f"{check_ledgers(session)} ledgers, " if ledger else ""
    click.echo(f"{found.rows} rows, {found.records} records, {ledgers}head {found.head}")


@audit.command()
@click.option(
    "--subject", metavar="PREFIX", help="Of session:3 and all in it; session: is every session, and so on."
)
@click.option("--actor", metavar="A", help="By whom: an e-mail address, user@host, or system.")
@click.option("--action", metavar="A", help="As entry.edited, or entry for all that was done to entries.")
@click.option("--since", metavar="ISO", help="From that moment on, e.g. 2026-11-20T09:00:00+01:00.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="The last N of them."
)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def show(
    subject: str | None, actor: str | None, action: str | None, since: str | None, limit: int, kind: str
) -> None:
    """The last changes, oldest first; times are UTC."""
    moment = None if since is None else parse_moment(since)
    with _database() as database, database.reading() as session:
        found = changes_of(session, subject, actor, action, moment, limit)
    if kind == "json":
        click.echo(json.dumps([_line(noted) for noted in found], ensure_ascii=False, indent=2))
        return
    table = Table("row", "at (UTC)", "actor", "action", "subject", "change", "reason", box=None)
    for noted in found:
        at = f"{noted.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        cells = (str(noted.seq), at, noted.actor, noted.action, noted.subject, wording(noted), noted.reason)
        table.add_row(*(Text(_printable(cell)) for cell in cells))
    console = Console()
    # A row stays a line for whatever reads it next; a terminal folds the cells instead.
    (console if console.is_terminal else Console(width=WIDEST)).print(table)


@audit.command()
@click.argument("file", type=FILE, required=False)
def anchor(file: Path | None) -> None:
    """Write where the chain ends now to FILE, or print it. Keep it where the database's administrators cannot write.

    A FILE that is there must be an anchor that the chain contains; it is replaced.
    """
    with _database() as database:
        made = _anchor(database, file if file is not None and file.exists() else None)
    if file is None:
        click.echo(made.to_json())
        return
    write_anchor(file, made)
    click.echo(f"row {made.seq} is anchored in {file}")


@audit.command()
@click.argument("address")
def mail(address: str) -> None:
    """Mail where the chain ends now to ADDRESS, with the anchor as a file."""
    server = mail_server(load_settings())
    with _database() as database:
        made = _anchor(database, None)
    text = (
        f"The audit chain of {made.database} has {made.seq} rows; the last one's hash is\n\n    {made.hash}\n\n"
        "Keep this message. With the attached file, 'gridroll audit verify --anchor anchor.json' finds out whether any\n"
        "of these rows was changed or removed since.\n"
    )
    content = f"{made.to_json()}\n".encode()
    send(server, address, f"Gridroll audit anchor: row {made.seq}", text, ("anchor.json", content))
    click.echo(f"row {made.seq} is anchored in a message to {address}")


def _anchor(database: Database, replaced: Path | None) -> Anchor:
    """The end of the chain. Raises GridrollError where it does not contain the anchor that would be replaced."""
    with database.reading() as session:
        head = head_of(session)
        if replaced is not None:
            before = read_anchor(replaced)
            held = session.scalar(select(AuditRow.hash).where(AuditRow.seq == before.seq))
            if before.seq and held != before.hash:
                raise GridrollError(
                    f"the chain does not contain row {before.seq} as {replaced} has it, so the file was left as it is; "
                    f"see 'gridroll audit verify --anchor {replaced}'"
                )
    return anchor_now(head.seq, head.hash, database.shown_url)


def _printable(text: str) -> str:
    """In one line, and without what would move a terminal's cursor."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _line(noted: Noted) -> dict[str, Any]:
    return {
        "seq": noted.seq,
        "at": noted.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "actor": noted.actor,
        "action": noted.action,
        "subject": noted.subject,
        "before": noted.before,
        "after": noted.after,
        "reason": noted.reason,
        "hash": noted.hash,
    }
