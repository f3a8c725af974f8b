"""How often a provider is asked."""

import time
from concurrent.futures import ThreadPoolExecutor

from recognizer.rate import RateLimiter


def starts_of(limiter: RateLimiter, calls: int, began: float) -> list[float]:
    """Seconds after `began` when each call was let through. A busy machine makes them later, never earlier."""
    starts = []
    for _ in range(calls):
        limiter.wait()
        starts.append(time.monotonic() - began)
    return starts


def test_calls_within_the_rate_do_not_wait() -> None:
    assert starts_of(RateLimiter(50), 50, time.monotonic())[-1] < 0.8


def test_no_second_holds_more_calls_than_the_rate_not_even_after_a_pause() -> None:
    limiter, began = RateLimiter(20), time.monotonic()
    starts_of(limiter, 20, began)
    time.sleep(0.5)
    starts = starts_of(limiter, 21, began)
    assert starts[0] >= 1
    assert starts[20] >= 2


def test_a_rate_below_one_a_second_waits_longer_than_a_second() -> None:
    assert starts_of(RateLimiter(0.8), 2, time.monotonic())[1] >= 1.25


def test_threads_share_one_rate() -> None:
    limiter, began = RateLimiter(10), time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda _: starts_of(limiter, 2, began), range(8))
        starts = sorted(start for part in parts for start in part)
    assert len(starts) == 16
    assert starts[10] >= 1
