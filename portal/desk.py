"""What every view works with: the settings, the ledger, the face cache and the time of day."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask, current_app

from db.database import Database
from db.errors import StoreError
from db.face_cache import FaceCache
from db.ledger import catch_up
from db.settings import Settings
from portal.backroom import Backroom
from portal.errands import Errands
from recognizer.removal import Stock

__all__ = ["Desk", "desk", "desk_of", "put_desk"]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """`cache`: None where there is none; verdicts then hold for their session only. `now`: says whether a session runs."""

    settings: Settings
    database: Database
    backroom: Backroom
    cache: FaceCache | None = None
    now: Callable[[], datetime] = utc_now
    errands: Errands = field(default_factory=Errands)

    def follow(self, session_id: int) -> None:
        """Fold a session's ledger where it is due. Where that cannot be, pages show it as it was before."""
        try:
            catch_up(self.database, session_id)
        except StoreError as error:
            current_app.logger.warning("the ledger of session %d does not follow: %s", session_id, error)

    def needed_cache(self) -> FaceCache:
        """The cache, for what must not go on without it: what could not be opened before is tried again.

        Raises CacheError.
        """
        return self.backroom.cache if self.cache is None else self.cache

    def stock(self) -> Stock:
        """All that faces are removed from.

        Raises the stores' and the engine's errors: a removal that left one of them out would be none.
        """
        return Stock(self.database, self.needed_cache(), self.backroom.engine, self.backroom.archive)


def put_desk(app: Flask, desk: Desk) -> None:
    app.extensions["gridroll"] = desk


def desk() -> Desk:
    """The desk of the application that answers the current request."""
    return desk_of(current_app)


def desk_of(app: Flask) -> Desk:
    found: Desk = app.extensions["gridroll"]
    return found
