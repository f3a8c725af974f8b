import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen_agent.errors import AgentError
from screen_agent.schedule import FixedSchedule, RandomSchedule, parse_every
from tests.conftest import START

END = START + timedelta(minutes=45)


@given(st.integers(), st.floats(1, 60), st.floats(1, 600))
def test_random_moments_keep_their_gaps_and_end_with_the_class(
    seed: int, shortest: float, more: float
) -> None:
    moments = list(RandomSchedule(shortest, shortest + more, seed).moments(START, END))
    assert moments == sorted(moments)
    assert moments[0] <= START + timedelta(seconds=shortest)
    assert moments[-1] == END
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]
    assert all(shortest - 1e-3 <= gap <= shortest + more + 1e-3 for gap in gaps[:-1])


def test_the_same_seed_gives_the_same_moments_and_another_one_others() -> None:
    runs = [list(RandomSchedule(20, 60, seed).moments(START, END)) for seed in (1, 1, 2, None, None)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[3] != runs[4]


def test_a_fixed_schedule_looks_each_period_or_at_the_moments_given() -> None:
    hourly = FixedSchedule(period=timedelta(hours=1)).moments(START, START + timedelta(hours=2.5))
    assert list(hourly) == [START + timedelta(hours=hour) for hour in range(3)]
    given_ = (START - timedelta(minutes=1), START, END, END + timedelta(minutes=1))
    assert list(FixedSchedule(at=given_).moments(START, END)) == [START, END]


@pytest.mark.parametrize(("text", "gap"), [("20-60", (20, 60)), ("30", (30, 30)), (" 1.5-2s ", (1.5, 2))])
def test_gaps_are_written_as_two_numbers_or_one(text: str, gap: tuple[float, float]) -> None:
    assert parse_every(text) == gap


@pytest.mark.parametrize("text", ["", "often", "60-20", "0-5", "-5", "20-", "1-90000"])
def test_a_gap_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(AgentError, match="--every"):
        parse_every(text)
