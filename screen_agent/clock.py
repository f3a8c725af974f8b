"""What time it is for the agent: the machine's time, or a recording's."""

import threading
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "MediaClock", "SystemClock"]


class Clock(Protocol):
    """The agent's time. Safe to share between threads."""

    def now(self) -> datetime:
        """Aware UTC."""

    def sleep_until(self, moment: datetime) -> bool:
        """Wait for a moment; past moments return at once. False when woken early by `wake`."""

    def wake(self) -> None:
        """End the present and every later sleep at once; safe to call from a signal handler."""


class SystemClock:
    """The machine's time."""

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep_until(self, moment: datetime) -> bool:
        return not self._woken.wait(max(0.0, (moment - self.now()).total_seconds()))

    def wake(self) -> None:
        self._woken.set()


class MediaClock:
    """Time that passes only by sleeping, and takes none: for recordings and simulations."""

    def __init__(self, starts_at: datetime) -> None:
        self._now = starts_at
        self._woken = False

    def now(self) -> datetime:
        return self._now

    def sleep_until(self, moment: datetime) -> bool:
        if self._woken:
            return False
        self._now = max(self._now, moment)
        return True

    def wake(self) -> None:
        self._woken = True
