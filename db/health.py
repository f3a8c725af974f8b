"""Does it work? Checks that any part of the house can offer, and those of the stores."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from db.database import open_database
from db.errors import GridrollError
from db.evidence.health import check_evidence
from db.face_cache import open_cache
from db.settings import Settings

__all__ = ["Check", "State", "attempt", "check_stores"]


class State(StrEnum):
    WORKS = "works"
    ABSENT = "not set up"
    """Missing, and nothing that is used needs it."""
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a check. `detail` says what was seen, or what to do."""

    name: str
    state: State
    detail: str


def attempt(name: str, trial: Callable[[], str]) -> Check:
    """Run a trial that returns what it saw; an error of Gridroll's becomes a broken check with its remedy."""
    try:
        return Check(name, State.WORKS, trial())
    except GridrollError as error:
        return Check(name, State.BROKEN, str(error))


def check_stores(settings: Settings) -> list[Check]:
    """The database, the face cache and the evidence store, by really opening them."""
    checks = [
        attempt("database", lambda: _database(settings)),
        attempt("face cache", lambda: _cache(settings)),
    ]
    if settings.evidence_days:
        return [*checks, attempt("evidence", lambda: check_evidence(settings))]
    return [*checks, Check("evidence", State.ABSENT, "evidence_days is 0: no crops are kept")]


def _database(settings: Settings) -> str:
    database = open_database(settings.resolved_database_url)
    try:
        database.examine()
        return f"{database.shown_url}, schema {database.revision()}"
    finally:
        database.close()


def _cache(settings: Settings) -> str:
    cache = open_cache(settings.cache_url, settings.home / "cache")
    try:
        cache.ping()
        return f"{cache.place}{'' if settings.cache_url else ', embedded'}"
    finally:
        cache.close()
