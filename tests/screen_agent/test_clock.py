import threading
import time
from datetime import UTC, timedelta

import pytest

from screen_agent.clock import Clock, MediaClock, SystemClock
from tests.conftest import START


@pytest.mark.parametrize("clock", [SystemClock(), MediaClock(START)])
def test_sleeping_until_a_moment_ends_at_that_moment(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC
    moment = clock.now() + timedelta(seconds=0.05)
    assert clock.sleep_until(moment)
    assert clock.now() >= moment
    assert clock.sleep_until(moment - timedelta(hours=1))  # the past is no reason to wait


def test_a_recordings_time_passes_by_sleeping_alone() -> None:
    clock = MediaClock(START)
    time.sleep(0.01)
    assert clock.now() == START
    clock.sleep_until(START + timedelta(hours=1))
    assert clock.now() == START + timedelta(hours=1)
    clock.sleep_until(START)
    assert clock.now() == START + timedelta(hours=1)


@pytest.mark.parametrize("clock", [SystemClock(), MediaClock(START)])
def test_a_woken_clock_sleeps_no_more(clock: Clock) -> None:
    timer = threading.Timer(0.05, clock.wake)
    timer.start()
    timer.join()
    begin = time.monotonic()
    assert not clock.sleep_until(clock.now() + timedelta(hours=1))
    assert time.monotonic() - begin < 10
