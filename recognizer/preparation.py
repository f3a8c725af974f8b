"""`gridroll init`."""

from contextlib import closing

import click

from db.commands import prepare
from db.database import open_database
from db.settings import Settings, load_settings

__all__ = ["init", "prepare_engine"]


@click.command()
def init() -> None:
    """Make the stores, or bring them up to date. Safe to run again."""
    settings = load_settings()
    prepare(settings)
    if done := prepare_engine(settings):
        click.echo(f"faces     {done}")


def prepare_engine(settings: Settings) -> str | None:
    """Make the provider's collection where the settings want one; None: they don't. Raises EngineError.

    The ledger's database must be there: giving faces their users is billed, and accounted for like any other call.
    """
    if settings.engine == "local":
        return None
    # Imported here: who keeps faces on this machine does not wait for a provider's library.
    from recognizer.rekognition import RekognitionEngine
    from recognizer.stores import meter_of

    with (
        closing(open_database(settings.resolved_database_url)) as database,
        closing(RekognitionEngine(settings, meter_of(settings, database))) as engine,
    ):
        return engine.prepare()
