"""Small work done after the answer, so that nobody waits for it, nor learns by how long it took what was done."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["Errands"]

WAITING = 100
"""How many are kept at most; more are dropped, which is logged."""

_log = logging.getLogger(__name__)


class Errands:
    """Runs errands one after another in a thread of its own, begun at the first. Thread-safe.

    `close()` waits for what was begun and for what waits. An error is logged and keeps no other errand back.
    """

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(WAITING)
        self._runner = ThreadPoolExecutor(1, "errands")

    def run(self, errand: Callable[[], None]) -> None:
        if not self._places.acquire(blocking=False):
            _log.warning("%d errands wait already; one more was dropped", WAITING)
            return

        def run() -> None:
            try:
                errand()
            except Exception as error:  # nobody is there any more who could be told
                _log.warning("an errand failed: %s", error)
            finally:
                self._places.release()

        self._runner.submit(run)

    def close(self) -> None:
        self._runner.shutdown(wait=True)
