"""What pages seldom need and what takes long to open: the engine that knows faces, the kept pictures, the face cache."""

import threading
from collections.abc import Callable

from db.database import Database
from db.evidence import Archive, open_archive
from db.face_cache import FaceCache, open_cache
from db.settings import Settings
from recognizer.engine import FaceEngine
from recognizer.stores import open_engine

__all__ = ["Backroom"]


class Backroom:
    """Opens the engine, the archive and the cache at the first need. Thread-safe; `close()` closes what was opened.

    What cannot be opened raises the stores' and the engine's errors, and is tried again at the next need.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._lock = threading.Lock()
        self._engine: FaceEngine | None = None
        self._archive: Archive | None = None
        self._cache: FaceCache | None = None

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

    @property
    def cache(self) -> FaceCache:
        """For what must not go on without it, where it could not be opened when the portal started."""
        with self._lock:
            if self._cache is None:
                self._cache = open_cache(self._settings.cache_url, self._settings.home / "cache")
            return self._cache

    def close(self) -> None:
        """May be called again; what is needed afterwards is opened anew."""
        with self._lock:
            opened: list[Callable[[], None]] = [
                one.close for one in (self._engine, self._archive, self._cache) if one
            ]
            self._engine = self._archive = self._cache = None
        for close in opened:
            close()
