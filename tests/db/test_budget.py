"""Accounts of sessions and months, on SQLite and on MariaDB."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from db.budget import Account, Budget, account, as_micros, as_price, hold, month_of, release, spend
from db.database import Database

CENT = as_micros(Decimal("0.01"))
NOVEMBER, DECEMBER = "2026-11", "2026-12"


def budget(per_session: str | None, per_month: str | None) -> Budget:
    return Budget("USD", *(None if limit is None else Decimal(limit) for limit in (per_session, per_month)))


@pytest.mark.parametrize(
    ("per_session", "per_month", "allowed"),
    [
        (None, None, 5),  # no limit
        ("0.03", None, 3),  # the session's
        (None, "0.02", 2),  # the month's
        ("0.03", "0.02", 2),  # the narrower one
        ("0.02", "0.03", 2),
        ("0.039", None, 3),  # not even a part of a search beyond it
        ("0", None, 0),
        (None, "0", 0),
    ],
)
def test_as_many_searches_are_allowed_as_both_budgets_have_left(
    database: Database, per_session: str | None, per_month: str | None, allowed: int
) -> None:
    with database.writing() as session:
        assert hold(session, budget(per_session, per_month), NOVEMBER, 7, CENT, 5) == allowed


def test_what_is_held_back_is_not_given_to_the_next_one(database: Database) -> None:
    for asked, allowed in ((3, 3), (3, 2), (1, 0)):
        with database.writing() as session:
            assert hold(session, budget("0.05", None), NOVEMBER, 7, CENT, asked) == allowed


def test_what_is_released_can_be_held_back_again_and_what_is_spent_cannot(database: Database) -> None:
    limits = budget("0.05", "1")
    with database.writing() as session:
        hold(session, limits, NOVEMBER, 7, CENT, 5)
        spend(session, "USD", NOVEMBER, 7, 2 * CENT, held=True)
        release(session, "USD", NOVEMBER, 7, 3 * CENT)
    with database.writing() as session:
        assert account(session, "USD", 7) == Account(Decimal("0.02"), Decimal(0))
        assert account(session, "USD", NOVEMBER) == Account(Decimal("0.02"), Decimal(0))
        assert hold(session, limits, NOVEMBER, 7, CENT, 5) == 3


def test_a_new_month_begins_with_its_whole_budget_and_a_session_does_not(database: Database) -> None:
    limits = budget("0.03", "0.02")
    with database.writing() as session:
        assert hold(session, limits, NOVEMBER, 7, CENT, 9) == 2
        assert hold(session, limits, NOVEMBER, 8, CENT, 9) == 0
        assert hold(session, limits, DECEMBER, 7, CENT, 9) == 1
        assert hold(session, limits, DECEMBER, 8, CENT, 9) == 1


def test_currencies_do_not_mix(database: Database) -> None:
    with database.writing() as session:
        spend(session, "EUR", NOVEMBER, None, CENT, held=False)
        assert hold(session, budget(None, "0.01"), NOVEMBER, None, CENT, 1) == 1


def test_a_budget_of_nothing_allows_not_even_what_is_free(database: Database) -> None:
    with database.writing() as session:
        assert hold(session, budget("0", None), NOVEMBER, 7, 0, 3) == 0
        assert hold(session, budget("0.01", None), NOVEMBER, 7, 0, 3) == 3


def test_a_month_is_one_of_universal_time() -> None:
    newly = datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert month_of(newly) == NOVEMBER
    assert month_of(datetime(2026, 12, 1, tzinfo=UTC)) == DECEMBER


@pytest.mark.parametrize("price", [0.001, 0.0004, 1.0, 0.1 + 0.2])
def test_amounts_are_exact_to_the_millionth(price: float) -> None:
    assert as_price(as_micros(price) * 1000) == Decimal(str(round(price, 6))) * 1000
