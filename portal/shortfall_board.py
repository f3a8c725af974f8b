"""Who falls short, counted over all courses once a minute: it reads every entry, and each page would ask anew."""

import threading
from datetime import datetime, timedelta

from flask import current_app

from db.database import Database
from db.shortfall import Shortfall, shortfalls

__all__ = ["ShortfallBoard", "board"]

FRESH = timedelta(minutes=1)


class ShortfallBoard:
    """Thread-safe. While one thread counts anew, the others take what was counted before."""

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._counted: tuple[datetime, list[Shortfall]] | None = None

    def of_all(self, database: Database, now: datetime) -> list[Shortfall]:
        held = self._counted
        if held is not None and abs(now - held[0]) < FRESH:
            return held[1]
        # Only the very first ones have nothing to show meanwhile.
        if not self._counting.acquire(blocking=held is None):
            assert held is not None
            return held[1]
        try:
            held = self._counted
            if held is None or abs(now - held[0]) >= FRESH:
                with database.reading() as reading:
                    held = (now, shortfalls(reading, now))
                self._counted = held
            return held[1]
        finally:
            self._counting.release()


def board() -> ShortfallBoard:
    """The board of the application that answers the current request."""
    found: ShortfallBoard = current_app.extensions.setdefault("gridroll-shortfall", ShortfallBoard())
    return found
