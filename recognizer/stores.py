"""Opens what recognition works with, as the settings say, and closes it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from db.database import Database, open_database
from db.face_cache import FaceCache, open_cache
from db.settings import Settings
from recognizer.engine import FaceEngine
from recognizer.local import LocalEngine

__all__ = ["Stores", "open_engine", "open_stores"]


@dataclass(frozen=True, slots=True)
class Stores:
    settings: Settings
    database: Database
    cache: FaceCache
    engine: FaceEngine


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """The database, the cache and the engine, ready to use; closed at the end, whatever happens."""
    database = open_database(settings.resolved_database_url)
    try:
        cache = open_cache(settings.cache_url, settings.home / "cache")
        try:
            cache.prepare()
            engine = open_engine(settings)
            try:
                yield Stores(settings, database, cache, engine)
            finally:
                engine.close()
        finally:
            cache.close()
    finally:
        database.close()


def open_engine(settings: Settings) -> FaceEngine:
    return LocalEngine(settings.home / "faces" / "local")
