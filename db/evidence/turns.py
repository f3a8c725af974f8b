"""Who writes blobs and who deletes them take turns, where the database cannot see to it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from db.connections import sqlite_path
from db.database import Database
from db.errors import EvidenceError
from db.file_lock import file_lock

__all__ = ["Turns"]

PATIENCE_S = 5.0
PAUSE_S = 0.01
"""Between two deletions, so that who waits to write has their turn."""


class Turns:
    """Turns on the blobs of a database. Safe to share between threads and programs; raises EvidenceError.

    A server locks the row of the blob that is deleted, and no other. SQLite has one lock, which the whole ledger needs and
    which must not wait for a bucket; its programs are on one machine, so there a lock on a file beside it does the same.
    """

    def __init__(self, database: Database) -> None:
        path = sqlite_path(database.engine.url.render_as_string(hide_password=False))
        self._path: Path | None = None if path is None else path.with_name("evidence.lock")

    @property
    def by_row(self) -> bool:
        """Whether deletions are to hold the rows of their blobs; these turns are no more than words then."""
        return self._path is None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """From the claim of blobs until they are written."""
        with self._held(shared=True):
            yield

    @contextmanager
    def deleting(self) -> Iterator[None]:
        """From seeing that a blob is condemned until its row is gone."""
        with self._held(shared=False):
            yield
        if self._path is not None:
            time.sleep(PAUSE_S)

    @contextmanager
    def _held(self, shared: bool) -> Iterator[None]:
        if self._path is None:
            yield
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(self._path, shared=shared, patience_s=PATIENCE_S))
            except TimeoutError as error:
                raise EvidenceError(
                    f"another program has held {self._path} for {PATIENCE_S:.0f} seconds; try again", True
                ) from error
            except OSError as error:
                raise EvidenceError(
                    f"cannot use {self._path}: {error.strerror}; check its folder and permissions"
                ) from error
            yield
