"""How often a program may ask: a bucket of requests for each token that fills again as time passes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Allowances"]

AT_ONCE = 200
PER_S = 20.0
REMEMBERED = 10_000
"""Tokens whose buckets are kept; who was not heard of for longest has a full one anyway."""


class Allowances:
    """Safe to share between threads. Kept in this process: several portals each allow as much."""

    def __init__(
        self,
        at_once: int = AT_ONCE,
        per_s: float = PER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._per_s = per_s
        self._clock = clock
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, token_id: int) -> float:
        """Take one request out of the token's bucket: 0. Or, of an empty one, the seconds until there is one."""
        now = self._clock()
        with self._lock:
            left, at = self._left.pop(token_id, (float(self._at_once), now))
            left = min(float(self._at_once), left + (now - at) * self._per_s)
            taken = left >= 1
            self._left[token_id] = (left - 1 if taken else left, now)
            if len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
        return 0.0 if taken else (1 - left) / self._per_s
