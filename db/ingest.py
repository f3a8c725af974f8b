"""Takes in looks from many agents at once: what several hand in at the same time shares one commit."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from db.database import Database
from db.errors import GridrollError
from db.looks import NewLook, record_looks

__all__ = ["LookWriter"]

MOST_AT_ONCE = 200
"""Looks of one transaction: more would hold the locks, and those who wait, for longer and save little."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A look handed in. `woken`: it is `answered`, or its thread is to write for all that wait."""

    look: NewLook
    woken: threading.Event = field(default_factory=threading.Event)
    answered: bool = False
    stored: bool = False
    error: Exception | None = None


class LookWriter:
    """Stores looks durably. Safe to share between threads; the more of them wait, the more share a transaction.

    The ledgers concerned are due afterwards: `db.ledger.catch_up` folds them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._guard = threading.Lock()
        self._writing = False

    def put(self, look: NewLook) -> bool:
        """Store one look; returns once it is durable, False where it was stored before.

        Raises NotFoundError for a session that is none, and the database's errors.
        """
        mine = _Waiting(look)
        with self._guard:
            self._waiting.append(mine)
            wait = self._writing
            self._writing = True
        try:
            if wait:
                mine.woken.wait()
            if not mine.answered:
                self._write_waiting()
        except BaseException:
            self._leave(mine)
            raise
        if mine.error is not None:
            raise mine.error
        return mine.stored

    def _write_waiting(self) -> None:
        """Write for all that wait, the caller first among them, and let the first of those that came meanwhile go on.

        If each waited for the same lock instead, whoever is quick would write alone before the others have woken.
        """
        with self._guard:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
        try:
            self._write(batch)
        finally:
            with self._guard:
                self._waiting[:0] = [one for one in batch if not one.answered]
                self._hand_on()
            for one in batch:
                if one.answered:
                    one.woken.set()

    def _hand_on(self) -> None:
        self._writing = bool(self._waiting)
        if self._writing:
            self._waiting[0].woken.set()

    def _leave(self, mine: _Waiting) -> None:
        """Wait no longer: an interrupted thread must not be left to write for the others."""
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                if mine.woken.is_set():
                    self._hand_on()

    def put_all(self, looks: Sequence[NewLook]) -> list[bool]:
        """Store looks in one transaction: all of them or, where anything is raised, none."""
        return self._database.transact(lambda session: record_looks(session, looks)) if looks else []

    def _write(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = self.put_all([one.look for one in batch])
        except Exception as error:
            refused = not (isinstance(error, GridrollError) and error.transient)
            if refused and len(batch) > 1:
                # One of them cannot be stored; the others shall not suffer for it.
                for one in batch:
                    self._write([one])
                return
            for one in batch:
                one.error, one.answered = error, True
            return
        for one, stored in zip(batch, answers, strict=True):
            one.stored, one.answered = stored, True
