"""Tries everything that the portal works with, in the background, and gives up on what does not answer."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from db.health import Check, State, Trial

__all__ = ["LIMIT_S", "Checkup", "Findings"]

LIMIT_S = 10.0
"""How long each trial may take; they run side by side."""

PATIENCE_S = 5.0
"""How long whoever closes waits for trials that still run."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the last checkup found, and when it was over."""

    checks: tuple[Check, ...]
    at: datetime

    @property
    def works(self) -> bool:
        return all(check.state is not State.BROKEN for check in self.checks)


class Checkup:
    """Runs trials, one checkup at a time. Thread-safe; `close()` before the program ends."""

    def __init__(self, trials: Callable[[], list[Trial]], limit_s: float = LIMIT_S) -> None:
        self._trials = trials
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._running: threading.Thread | None = None
        self._busy = False
        self._findings: Findings | None = None
        self._hanging: dict[str, threading.Thread] = {}

    @property
    def findings(self) -> Findings | None:
        """Of the last checkup; None before the first is over."""
        with self._lock:
            return self._findings

    @property
    def is_running(self) -> bool:
        with self._lock:
            return self._busy

    def start(self) -> bool:
        """Begin a checkup. Returns False where one runs already."""
        with self._lock:
            if self._busy:
                return False
            self._busy = True
            # As a daemon: a trial that never ends must not keep the program from ending.
            self._running = threading.Thread(target=self._run, name="checkup", daemon=True)
            self._running.start()
            return True

    def close(self) -> None:
        with self._lock:
            threads = [*self._hanging.values(), *([self._running] if self._running else [])]
        deadline = time.monotonic() + PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        found: dict[str, list[Check]] = {}
        names: list[str] = []
        deadline = time.monotonic() + self._limit_s
        for name, trial in self._trials():
            names.append(name)
            hanging = self._hanging.get(name)
            if hanging is not None and hanging.is_alive():
                continue
            thread = threading.Thread(target=_try, args=(name, trial, found), name=name, daemon=True)
            with self._lock:
                self._hanging[name] = thread
            thread.start()
        for name in names:
            self._hanging[name].join(max(0.0, deadline - time.monotonic()))
        checks = [check for name in names for check in found.get(name) or [self._silent(name)]]
        with self._lock:
            self._findings = Findings(tuple(checks), datetime.now(UTC))
            self._busy = False

    def _silent(self, name: str) -> Check:
        detail = f"no answer within {self._limit_s:g} s; 'gridroll doctor' waits for it and says why"
        return Check(name, State.BROKEN, detail)


def _try(name: str, trial: Callable[[], list[Check]], found: dict[str, list[Check]]) -> None:
    try:
        found[name] = trial()
    except Exception:  # a mistake in one of them shall not hide what the others say
        logging.getLogger(__name__).exception("the check of %s broke", name)
        found[name] = [Check(name, State.BROKEN, "the check itself broke; the portal's log says where")]
