"""How long a server that does not answer is left alone before it is asked again."""

import time
from collections.abc import Callable

__all__ = ["Outage"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 60.0


class Outage:
    """Whether a server is away, and whether it is worth asking again. Safe to share between threads.

    After a failure it is left alone for 5 s, after each further one twice as long, a minute at most. `clock`: seconds
    that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause_s = 0.0
        self._again_at = 0.0

    @property
    def lasts(self) -> bool:
        """Whether the last thing that is known of the server is a failure."""
        return self._pause_s > 0

    @property
    def pauses(self) -> bool:
        """Whether it is too early to ask again."""
        return self.lasts and self._clock() < self._again_at

    def failed(self) -> None:
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S) if self.lasts else FIRST_PAUSE_S
        self._again_at = self._clock() + self._pause_s

    def ended(self) -> None:
        self._pause_s = 0.0
