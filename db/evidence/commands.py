"""`gridroll evidence`."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from db.actor import at_keyboard
from db.database import open_database
from db.errors import EvidenceError
from db.evidence.archive import Archive, open_archive
from db.evidence.exhibits import Exhibit, exhibits_of
from db.evidence.keys import add_key, new_key
from db.evidence.rotation import others, rotate
from db.files import write_whole
from db.sessions import find_session
from db.settings import load_settings

__all__ = ["evidence"]

WIDE = 500
NUMBER = click.IntRange(1, 2**63 - 1)


@contextmanager
def _archive() -> Iterator[Archive]:
    settings = load_settings()
    with (
        closing(open_database(settings.resolved_database_url)) as database,
        closing(open_archive(settings, database)) as archive,
    ):
        yield archive


@click.group()
def evidence() -> None:
    """The crops behind the names: encrypted, and kept for `evidence_days`."""


@evidence.command("list")
@click.argument("session_id", metavar="SESSION", type=NUMBER)
@click.option("--format", "kind", type=click.Choice(["table", "json"]), default="table", show_default=True)
def list_(session_id: int, kind: str) -> None:
    """The crops of SESSION and what was concluded from each; times are UTC."""
    with _archive() as archive, archive.database.reading() as reading:
        find_session(reading, session_id)
        found = exhibits_of(reading, session_id)
    if kind == "json":
        click.echo(json.dumps([_line(one) for one in found], ensure_ascii=False, indent=2))
        return
    columns = ("id", "look (UTC)", "track", "student", "verdict", "%", "runner-up", "%", "needed", "engine")
    table = Table(*columns, "kept until", box=None)
    for one in found:
        cells = (
            *(str(one.id), f"{one.taken_at:%Y-%m-%d %H:%M:%S}", one.track, one.student_no or ""),
            *(one.verdict or "", _percent(one.similarity_pct), one.runner_up_no or ""),
            *(_percent(one.runner_up_pct), _percent(one.threshold_pct)),
            *(f"{one.engine or ''} {one.model or ''}".strip(), f"{one.keep_until:%Y-%m-%d}"),
        )
        table.add_row(*map(Text, cells))
    Console(soft_wrap=True, width=WIDE).print(table)  # whole cells, for who pipes it on too


@evidence.command()
@click.argument("evidence_id", metavar="ID", type=NUMBER)
@click.argument("file", type=click.Path(path_type=Path))
def show(evidence_id: int, file: Path) -> None:
    """Write the crop ID, as 'evidence list' shows it, to FILE, a JPEG that only its owner can read."""
    with _archive() as archive:
        picture = archive.read(evidence_id)
    if not file.parent.is_dir():
        raise EvidenceError(f"there is no folder {file.parent}; make it, or choose another file")
    try:
        write_whole(file, picture)
    except OSError as error:
        raise EvidenceError(f"cannot write {file}: {error.strerror}; choose another file") from error


@evidence.command()
@click.option(
    "--remove-unknown",
    is_flag=True,
    help="Also remove blobs of which the database knows nothing. Never where another database uses the same store.",
)
def sweep(remove_unknown: bool) -> None:
    """Remove crops whose time is over and what no look needs, and compare the store with the database."""
    with _archive() as archive:
        swept = archive.sweep(thorough=True, remove_unknown=remove_unknown)
        click.echo(f"{swept.expired} crops were over their time; {swept.removed} blobs removed")
        if swept.unknown:
            click.echo(
                f"{swept.unknown} blobs in {archive.where} are not known to this database and were left alone; where no "
                "other database uses this store, --remove-unknown removes them"
            )
        if swept.failure is not None:
            raise swept.failure
        if swept.missing:
            raise EvidenceError(
                f"{swept.missing} crops are missing in {archive.where}; restore it from a backup, or let them expire"
            )


@evidence.command("rotate")
@click.option("--new-key", is_flag=True, help="First put a new key before the others in the key file.")
def rotate_(new_key: bool) -> None:
    """Encrypt every crop under the newest key. Interrupted, it goes on where it was when it is run again."""
    if new_key:
        click.echo(f"a new key is in {add_key(load_settings())}")
    with _archive() as archive:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("Encrypting crops", total=None)
            done = rotate(
                archive,
                lambda done, total: bar.update(task, completed=done, total=total),
                at_keyboard(),
            )
        newest, left = archive.keys.newest_id, others(archive)
    click.echo(f"{done.renewed} crops encrypted anew; the newest key is {newest}")
    if left:
        why = f": {done.reason}" if done.reason else "; run the command again"
        raise EvidenceError(f"{left} crops are still under an older key, so keep it{why}")
    click.echo("the older keys are needed no more, once no program runs that was started with them")


@evidence.command()
def key() -> None:
    """Print a new key for the settings `evidence_keys` or `evidence_key_file`."""
    click.echo(new_key())


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _line(one: Exhibit) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, datetime)
        else value
        for name, value in asdict(one).items()
    }
