"""Making the stores, and `gridroll session`."""

from datetime import UTC, datetime

import click

from db.actor import at_keyboard
from db.database import make_database, open_database
from db.errors import GridrollError
from db.face_cache import open_cache
from db.proof.settings_trail import note_settings
from db.sessions import start_session
from db.settings import Settings, load_settings

__all__ = ["prepare", "session"]


def prepare(settings: Settings) -> None:
    """Make the home folder, the database and the cache, and say where they are."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise GridrollError(
            f"cannot make {settings.home}: {error.strerror}; choose another GRIDROLL_HOME"
        ) from error
    database = make_database(settings.resolved_database_url)
    try:
        note_settings(database, settings, at_keyboard())
        click.echo(f"database  {database.shown_url}, schema {database.revision()}")
    finally:
        database.close()
    cache = open_cache(settings.cache_url, settings.home / "cache")
    try:
        cache.prepare()
        click.echo(f"cache     {cache.place if settings.cache_url else f'embedded, under {settings.home}'}")
    finally:
        cache.close()


@click.group()
def session() -> None:
    """Class meetings."""


@session.command()
@click.argument("course")
@click.option("--title", default="", help="What the meeting is called; the course's code if left out.")
@click.option(
    "--starts-at", metavar="ISO", help="When it starts, e.g. 2026-11-20T09:00:00+01:00; now if left out."
)
@click.option(
    "--minutes", type=float, default=60.0, show_default=True, help="How long it is planned to last."
)
def start(course: str, title: str, starts_at: str | None, minutes: float) -> None:
    """Start a session of COURSE and print its id."""
    begins = parse_moment(starts_at) if starts_at else datetime.now(UTC)
    database = open_database(load_settings().resolved_database_url)
    try:
        with database.writing() as writing:
            session_id = start_session(writing, course, title, begins, minutes, at_keyboard()).id
    finally:
        database.close()
    click.echo(session_id)


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment; one without an offset is UTC. Raises GridrollError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GridrollError(f"{text!r} is no moment; write e.g. 2026-11-20T09:00:00+01:00") from error
    if not 1970 < moment.year < 2200:
        raise GridrollError(
            f"{text!r} is not a year in which anybody takes attendance; write e.g. 2026-11-20T09:00"
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
