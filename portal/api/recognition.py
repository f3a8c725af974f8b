"""Recognition for agents elsewhere: their looks go the way of those that are taken on this machine."""

import threading

from flask import Flask, current_app

from portal.desk import Desk
from recognizer.evidence import Evidence
from recognizer.observation import Observation, Receipt
from recognizer.verify import Verifier

__all__ = ["Recognition", "put_recognition", "recognition"]

TURNS = 64
_NAME = "gridroll-recognition"


class Recognition:
    """One verifier for all agents, opened with the engine at the first look. Safe to share between threads.

    What it remembers of a session is in the cache, so that a portal that starts again goes on where it was.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._turns = tuple(threading.Lock() for _ in range(TURNS))
        self._verifier: Verifier | None = None

    def take(self, observation: Observation) -> Receipt:
        """Identify and store a look; a session's looks one after another. Raises the stores' and the engine's errors."""
        verifier = self._opened()
        with self._turns[observation.session_id % TURNS]:
            return verifier.verify(observation)

    def _opened(self) -> Verifier:
        desk = self._desk
        with self._lock:
            if self._verifier is None:
                cache, engine = desk.needed_cache(), desk.backroom.engine
                evidence = Evidence(desk.backroom.archive)
                self._verifier = Verifier(desk.database, cache, engine, desk.settings, evidence)
            return self._verifier


def put_recognition(app: Flask, made: Recognition) -> None:
    app.extensions[_NAME] = made


def recognition() -> Recognition:
    found: Recognition = current_app.extensions[_NAME]
    return found
