"""What the admins' pages start and wait for: one for each application, closed with it."""

from flask import Flask, current_app

from db.database import Database
from db.health import Trial, store_trials
from db.settings import Settings
from portal.admin.checkup import Checkup
from portal.admin.inspection import Inspector
from recognizer.health import recognition_trials

__all__ = ["Office", "office", "put_office"]


class Office:
    """`inspector` checks the audit chain, `checkup` what the portal works with."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.inspector = Inspector(database, settings.home)
        self.checkup = Checkup(lambda: _trials(settings))

    def close(self) -> None:
        """End what runs; returns when it has ended, or after a few seconds."""
        self.inspector.close()
        self.checkup.close()


def put_office(app: Flask, office: Office) -> None:
    app.extensions["gridroll_office"] = office


def office() -> Office:
    """The office of the application that answers the current request."""
    found: Office = current_app.extensions["gridroll_office"]
    return found


def _trials(settings: Settings) -> list[Trial]:
    return [*store_trials(settings), *recognition_trials(settings)]
