"""What pages seldom need and what takes long to open: the engine that knows faces, and the kept pictures."""

import threading
from collections.abc import Callable

from db.database import Database
from db.evidence import Archive, open_archive
from db.settings import Settings
from recognizer.engine import FaceEngine
from recognizer.stores import open_engine

__all__ = ["Backroom"]


class Backroom:
    """Opens the engine and the archive at the first need. Thread-safe; `close()` closes what was opened.

    What cannot be opened raises the stores' and the engine's errors, and is tried again at the next need.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._lock = threading.Lock()
        self._engine: FaceEngine | None = None
        self._archive: Archive | None = None

    @property
    def engine(self) -> FaceEngine:
        with self._lock:
            if self._engine is None:
                self._engine = open_engine(self._settings, self._database)
            return self._engine

    @property
    def archive(self) -> Archive:
        with self._lock:
            if self._archive is None:
                self._archive = open_archive(self._settings, self._database)
            return self._archive

    def close(self) -> None:
        """May be called again; what is needed afterwards is opened anew."""
        with self._lock:
            opened: list[Callable[[], None]] = [one.close for one in (self._engine, self._archive) if one]
            self._engine = self._archive = None
        for close in opened:
            close()
