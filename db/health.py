"""Does it work? Checks that any part of the house can offer, and those of the stores."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from db.database import open_database
from db.errors import GridrollError
from db.evidence.health import check_evidence
from db.face_cache import open_cache
from db.settings import Settings

__all__ = ["Check", "State", "Trial", "attempt", "check_stores", "store_trials"]


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


Trial = tuple[str, Callable[[], list[Check]]]
"""What is tried, and the trial; it may take as long as a network makes it wait."""


def attempt(name: str, trial: Callable[[], str]) -> Check:
    """Run a trial that returns what it saw; an error of Gridroll's becomes a broken check with its remedy."""
    try:
        return Check(name, State.WORKS, trial())
    except GridrollError as error:
        return Check(name, State.BROKEN, str(error))


def check_stores(settings: Settings) -> list[Check]:
    """The database, the face cache and the evidence store, by really opening them."""
    return [check for _, trial in store_trials(settings) for check in trial()]


def store_trials(settings: Settings) -> list[Trial]:
    """The same, one by one."""
    return [
        ("database", lambda: [attempt("database", lambda: _database(settings))]),
        ("face cache", lambda: [attempt("face cache", lambda: _cache(settings))]),
        ("evidence", lambda: [_evidence(settings)]),
    ]


def _evidence(settings: Settings) -> Check:
    if not settings.evidence_days:
        return Check("evidence", State.ABSENT, "evidence_days is 0: no crops are kept")
    return attempt("evidence", lambda: check_evidence(settings))


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
