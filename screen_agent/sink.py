"""Where observations go."""

import time
from collections.abc import Callable
from typing import Protocol

from db.errors import GridrollError
from recognizer.observation import Observation, Receipt
from recognizer.verify import Verifier

__all__ = ["InProcessSink", "Sink"]

WAITS_S = (0.5, 1, 2, 4, 8, 15, 30)


class Sink(Protocol):
    """Takes observations. For one thread at a time."""

    def send(self, observation: Observation) -> Receipt:
        """Hand an observation in; when this returns, it is stored durably. Sending it again changes nothing."""

    def close(self) -> None:
        """Nothing is sent afterwards."""


class InProcessSink:
    """Recognition and ledger on this very machine.

    A store that is away for a moment is tried again for about a minute; then its error is raised.
    """

    def __init__(self, verifier: Verifier, sleep: Callable[[float], None] = time.sleep) -> None:
        self._verifier = verifier
        self._sleep = sleep

    def send(self, observation: Observation) -> Receipt:
        for wait_s in WAITS_S:
            try:
                return self._verifier.verify(observation)
            except GridrollError as error:
                if not error.transient:
                    raise
                self._sleep(wait_s)
        return self._verifier.verify(observation)

    def close(self) -> None:
        return None
