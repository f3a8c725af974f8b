"""Opens what recognition works with, as the settings say, and closes it again."""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from db.budget import budget_of
from db.costs import search_price
from db.database import Database, open_database
from db.errors import ConfigError
from db.evidence import Archive, open_archive
from db.face_cache import FaceCache, open_cache
from db.people import cached_faces
from db.settings import Settings
from recognizer.engine import FaceEngine, IndexedFace
from recognizer.local import LocalEngine
from recognizer.metering import EmptyPurse, LedgerMeter

__all__ = ["Stores", "meter_of", "open_engine", "open_stores"]


@dataclass(frozen=True, slots=True)
class Stores:
    settings: Settings
    database: Database
    cache: FaceCache
    engine: FaceEngine
    archive: Archive


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """The database, the cache, the engine and the evidence, ready to use; closed at the end, whatever happens."""
    database = open_database(settings.resolved_database_url)
    try:
        cache = open_cache(settings.cache_url, settings.home / "cache")
        try:
            cache.try_to_prepare()
            engine = open_engine(settings, database)
            try:
                with closing(open_archive(settings, database)) as archive:
                    yield Stores(settings, database, cache, engine, archive)
            finally:
                engine.close()
        finally:
            cache.close()
    finally:
        database.close()


def open_engine(settings: Settings, database: Database | None = None) -> FaceEngine:
    """The engine of the settings. `database`: where calls to a provider are kept account of.

    None: no account is kept, so a tiered engine pays for no search. Raises ConfigError for settings that contradict
    each other.
    """
    if settings.engine == "local":
        return _local(settings)
    # Imported here: a command that needs no provider does not wait for its library.
    from recognizer.rekognition import RekognitionEngine

    budget = budget_of(settings)
    if settings.engine == "rekognition" and (budget.per_session, budget.per_month) != (None, None):
        raise ConfigError(
            'budget_per_session and budget_per_month limit the tiered engine only; set engine = "tiered", or remove them'
        )
    meter = None if database is None else meter_of(settings, database)
    remote = RekognitionEngine(settings, meter)
    if settings.engine == "rekognition":
        return remote
    from recognizer.tiered import Doubt, TieredEngine

    if settings.tiered_after_looks > settings.max_looks_per_face:
        raise ConfigError(
            f"tiered_after_looks {settings.tiered_after_looks} is more than max_looks_per_face "
            f"{settings.max_looks_per_face}, so nothing would ever be paid for; lower one or raise the other"
        )
    doubt = Doubt(
        match_pct=settings.match_threshold_pct,
        margin_pct=settings.match_margin_pct,
        sure_pct=settings.sure_threshold_pct,
        plausible_pct=settings.tiered_plausible_pct,
        remote_weak_pct=settings.rekognition_weak_threshold_pct,
        after_looks=settings.tiered_after_looks,
        asked_per_face=settings.tiered_paid_per_face,
    )
    owners = None if database is None else _owners(database)
    return TieredEngine(_local(settings), remote, meter or EmptyPurse(), doubt, owners)


def _local(settings: Settings) -> FaceEngine:
    return LocalEngine(settings.home / "faces" / "local")


def meter_of(settings: Settings, database: Database) -> LedgerMeter:
    """Keeps account of a provider's calls in the ledger's database."""
    return LedgerMeter(database, budget_of(settings), search_price(settings))


def _owners(database: Database) -> Callable[[Collection[str]], list[IndexedFace]]:
    def find(face_ids: Collection[str]) -> list[IndexedFace]:
        with database.reading() as session:
            return [
                IndexedFace(face.face_id, face.student_no, face.engine, face.model)
                for face in cached_faces(session, face_ids)
            ]

    return find
