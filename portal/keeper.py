"""Keeps the ledgers up to date while the portal runs: what agents stored is folded within about a second.

Where many classes are looked at very often it takes longer, so that taking in looks does not wait for the folding. Every
few minutes it also plans the sessions that timetables say are to come.
"""

import logging
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from db.database import Database
from db.due import due_sessions
from db.ledger import catch_up
from db.planning import plan_all

__all__ = ["LedgerKeeper"]

EVERY_S = 1.0
REST = 3
"""How many times as long as it folded a ledger the keeper rests: it takes a quarter of the time at most."""

PLANNED_EVERY_S = 600.0
"""How often timetables are looked at: their sessions are planned days ahead."""

STOP_PATIENCE_S = 15.0
"""How long the end of a fold is waited for: longer than a busy database is, and no program hangs for ever."""

_log = logging.getLogger(__name__)


class LedgerKeeper:
    """Folds the ledgers that are due and plans sessions, from entering the block to leaving it, in a thread of its own.

    An error is logged once until the same work succeeds, and tried again: one session's does not keep another's back.
    """

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._stopping = threading.Event()
        self._told: set[int | None] = set()
        self._planned_at: float | None = None
        self._planning_failed = False
        self._thread = threading.Thread(target=self._run, name="ledger-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_PATIENCE_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._round()
            self._plan()
            self._stopping.wait(self._every_s)

    def _round(self) -> None:
        due: list[int] = []
        try:
            with self._database.reading() as session:
                due = due_sessions(session)
            self._told &= {*due, None}
            self._succeeded(None)
        except Exception as error:
            self._failed(None, error)
        for session_id in due:
            begun = time.monotonic()
            try:
                catch_up(self._database, session_id)
                self._succeeded(session_id)
            except Exception as error:  # a thread that ended would leave all ledgers behind without a word
                self._failed(session_id, error)
            if self._stopping.wait(REST * (time.monotonic() - begun)):
                return

    def _plan(self) -> None:
        now = time.monotonic()
        if self._planned_at is not None and now - self._planned_at < PLANNED_EVERY_S:
            return
        self._planned_at = now
        try:
            plan_all(self._database, datetime.now(UTC))
            self._planning_failed = False
        except Exception as error:  # as above: the thread goes on
            if not self._planning_failed:
                _log.warning("sessions are not planned, which is tried again: %s", error)
            self._planning_failed = True

    def _failed(self, session_id: int | None, error: Exception) -> None:
        if session_id not in self._told:
            self._told.add(session_id)
            which = "the ledgers do" if session_id is None else f"the ledger of session {session_id} does"
            _log.warning("%s not follow, which is tried again: %s", which, error)

    def _succeeded(self, session_id: int | None) -> None:
        if session_id in self._told:
            self._told.discard(session_id)
            which = (
                "the ledgers follow" if session_id is None else f"the ledger of session {session_id} follows"
            )
            _log.warning("%s again", which)
