"""What there is to watch, and where the looks go: into the ledger of this machine, or to a portal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from db.actor import at_keyboard
from db.proof.settings_trail import note_settings
from db.sessions import find_session
from db.settings import Settings
from recognizer.evidence import Evidence
from recognizer.stores import open_stores
from recognizer.verify import Verifier
from screen_agent.errors import AgentError
from screen_agent.outbox import Outbox
from screen_agent.remote import Portal, PortalAwayError, RemoteSink, read_token
from screen_agent.sink import InProcessSink, Sink

__all__ = ["Task", "drop_old_looks", "task_elsewhere", "task_here"]

LEFT_OVER_S = 10.0
"""How long a start waits to hand in what an earlier watch left."""


@dataclass(frozen=True, slots=True)
class Task:
    """A session to be watched. Moments are aware."""

    title: str
    starts_at: datetime
    ends_at: datetime
    sink: Sink


@contextmanager
def task_here(settings: Settings, session_id: int) -> Iterator[Task]:
    """A session of this machine's ledger. Raises NotFoundError and the stores' errors."""
    with open_stores(settings) as stores:
        with stores.database.reading() as reading:
            row = find_session(reading, session_id)
        note_settings(stores.database, stores.settings, at_keyboard())
        evidence = Evidence(stores.archive)
        verifier = Verifier(stores.database, stores.cache, stores.engine, stores.settings, evidence)
        yield Task(row.title, row.starts_at, row.ends_at, InProcessSink(verifier))


@contextmanager
def task_elsewhere(settings: Settings, session_id: int, url: str, token_file: Path) -> Iterator[Task]:
    """A session of a portal. At the end, what could not be handed in yet is handed in, or stays for the next watch.

    Raises AgentError, also where looks are left.
    """
    portal = Portal(url, read_token(token_file))
    path = settings.home / "outbox.sqlite"
    outbox = Outbox(path, portal.url, session_id)
    sink = RemoteSink(portal, session_id, outbox, _tell)
    try:
        drop_old_looks(outbox, settings.evidence_days)
        session = portal.session(session_id, outbox)
        sink.flush(LEFT_OVER_S)
        try:
            yield Task(session.title, session.starts_at, session.ends_at, sink)
        finally:
            # Where the token ended, nothing more is taken: the error that says so is on its way.
            unfit = sys.exc_info()[1]
            left = outbox.count() if isinstance(unfit, AgentError) else sink.flush()
        if left:
            raise PortalAwayError(
                f"{left} look{'' if left == 1 else 's'} of session {session_id} wait in {path}; when the portal is back, "
                "run the same command again"
            )
    finally:
        sink.close()


def drop_old_looks(outbox: Outbox, evidence_days: int) -> None:
    """Looks hold pictures of faces: they wait no longer than evidence is kept, but a day at least."""
    dropped = outbox.drop_before(time.time() - max(evidence_days, 1) * 86_400)
    if dropped:
        _tell(
            f"{dropped} look{'' if dropped == 1 else 's'} had waited for too long (evidence_days) and went unsent"
        )


def _tell(line: str) -> None:
    click.echo(f"gridroll: {line}", err=True)
