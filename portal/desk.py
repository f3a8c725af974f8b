"""What every view works with: the settings, the ledger and the time of day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Flask, current_app

from db.database import Database
from db.settings import Settings

__all__ = ["Desk", "desk", "put_desk"]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """`now`: the clock that decides whether a session still runs."""

    settings: Settings
    database: Database
    now: Callable[[], datetime] = utc_now


def put_desk(app: Flask, desk: Desk) -> None:
    app.extensions["gridroll"] = desk


def desk() -> Desk:
    """The desk of the application that answers the current request."""
    found: Desk = current_app.extensions["gridroll"]
    return found
