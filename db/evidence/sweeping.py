"""Letting go of crops whose time is over, while a program runs that has other things to do."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from db.database import Database
from db.errors import EvidenceError, GridrollError
from db.evidence.archive import Archive, open_archive
from db.settings import Settings

__all__ = ["Sweeper", "sweeping"]

EVERY_S = 3600.0
SOON_S = 60.0
AT_ONCE = 100
"""Crops removed at one go where a look waits: in a second or two. What is left over goes a minute later."""

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps once in an hour, or a minute later where there was more to do, whoever calls how often.

    `at_once`: crops removed at most; None: all. Safe to share between threads; never raises a GridrollError.
    """

    def __init__(self, archive: Archive, at_once: int | None = AT_ONCE) -> None:
        self._archive = archive
        self._at_once = at_once
        self._lock = threading.Lock()
        self._next: float | None = None
        self._silent_until: float | None = None

    def tend(self) -> None:
        """Sweep where it is time to."""
        with self._lock:
            if self._next is not None and time.monotonic() < self._next:
                return
            self._next = time.monotonic() + EVERY_S
        try:
            swept = self._archive.sweep(limit=self._at_once)
        except GridrollError as error:
            _log.warning("old crops are kept until the next hour: %s", error)
            return
        if swept.failure is not None:
            self._tell(swept.failure)
            if swept.failure.transient:
                return
        if self._at_once is not None and max(swept.expired, swept.removed) >= self._at_once:
            with self._lock:
                self._next = time.monotonic() + SOON_S

    def _tell(self, failure: EvidenceError) -> None:
        """Say it, once in an hour."""
        with self._lock:
            now = time.monotonic()
            if self._silent_until is not None and now < self._silent_until:
                return
            self._silent_until = now + EVERY_S
        _log.warning("some old crops are still kept: %s", failure)


@contextmanager
def sweeping(settings: Settings, database: Database) -> Iterator[None]:
    """Sweep in the background, now and once in an hour, until the context ends. Raises ConfigError."""
    ended = threading.Event()
    with closing(open_archive(settings, database)) as archive:
        sweeper = Sweeper(archive, None)

        def run() -> None:
            sweeper.tend()
            while not ended.wait(EVERY_S):
                sweeper.tend()

        thread = threading.Thread(target=run, name="gridroll-sweeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
