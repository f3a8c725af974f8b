"""How often something may be tried, whichever program counts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from db.database import Database
from db.schema import ThrottleRow
from db.throttle import LONGEST_WINDOW, Limit, Tries, forget_tries, give_back, sweep_throttles, take_try, wait
from tests.conftest import START

LIMIT = Limit("passwords", 3, timedelta(minutes=15))
ADA = Tries(LIMIT, "ada@x.example")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_tries_are_taken_until_there_are_too_many_and_again_when_the_window_is_over(
    database: Database,
) -> None:
    for minute, expected in (
        (0, None),
        (1, None),
        (2, None),
        (2, minutes(13)),  # one too many
        (14.5, minutes(0.5)),  # which did not make the wait longer
        (15, None),  # a new window
        (16, None),
        (29, None),
        (29, minutes(1)),
    ):
        now = START + minutes(minute)
        with database.reading() as reading:
            assert wait(reading, ADA, now) == expected
        with database.writing() as writing:
            assert take_try(writing, ADA, now) == expected, minute


def test_what_is_counted_and_for_whom_are_told_apart(database: Database) -> None:
    others = [Tries(LIMIT, "ben@x.example"), Tries(Limit("codes", 3, minutes(15)), ADA.who)]
    with database.writing() as writing:
        for _ in range(3):
            take_try(writing, ADA, START)
        assert take_try(writing, ADA, START) is not None
        assert [take_try(writing, other, START) for other in others] == [None, None]


def test_one_that_succeeded_is_given_back_or_all_are_forgotten(database: Database) -> None:
    with database.writing() as writing:
        for _ in range(3):
            take_try(writing, ADA, START)
        give_back(writing, ADA)
        assert take_try(writing, ADA, START) is None
        assert take_try(writing, ADA, START) is not None
        forget_tries(writing, ADA)
        assert take_try(writing, ADA, START) is None


def test_programs_that_try_at_once_get_no_more_than_one_would(database: Database) -> None:
    def attempt(_: int) -> bool:
        return database.transact(lambda writing: take_try(writing, ADA, START)) is None

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(18))) == 3


def test_what_counts_no_more_is_swept(database: Database) -> None:
    with database.writing() as writing:
        take_try(writing, ADA, START)
        take_try(writing, Tries(LIMIT, "ben@x.example"), START + LONGEST_WINDOW)
        sweep_throttles(writing, START + LONGEST_WINDOW + minutes(1))
        assert writing.scalar(select(func.count()).select_from(ThrottleRow)) == 1


def test_names_are_not_kept(database: Database) -> None:
    with database.writing() as writing:
        take_try(writing, ADA, START)
        (row,) = writing.scalars(select(ThrottleRow)).all()
        assert len(row.bucket) == 64
        assert "ada" not in row.bucket


@pytest.mark.parametrize("window", [timedelta(), -minutes(1), LONGEST_WINDOW + minutes(1)])
def test_a_window_that_would_be_swept_before_it_is_over_cannot_be(window: timedelta) -> None:
    with pytest.raises(ValueError, match="window"):
        Limit("x", 3, window)
