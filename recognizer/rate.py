"""How often a provider may be asked."""

import threading
import time
from collections import deque

__all__ = ["RateLimiter"]


class RateLimiter:
    """Lets calls through, never more than `per_s` within any second. Safe to share between threads.

    A log of the last starts (sliding window), so a burst after a quiet time stays within the rate too, which a token
    bucket's does not. Below one per second, one call per `1 / per_s` seconds.
    """

    def __init__(self, per_s: float) -> None:
        calls = max(1, int(per_s))
        self._window_s = calls / per_s
        self._starts: deque[float] = deque(maxlen=calls)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Block until the next call may start; callers are let through in the order they came."""
        with self._lock:
            now = start = time.monotonic()
            if len(self._starts) == self._starts.maxlen:
                start = max(now, self._starts[0] + self._window_s)
            self._starts.append(start)
        if start > now:
            time.sleep(start - now)
