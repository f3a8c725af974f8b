"""Calls are kept and budgets are never overspent: by threads, by programs, and by programs that die."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.budget import Account, Budget, account, as_micros, month_of
from db.costs import OVER_BUDGET
from db.database import Database
from db.people import make_course
from db.schema import EngineCallRow
from db.sessions import start_session
from recognizer.metering import Call, LedgerMeter
from tests.conftest import START

CENT = Decimal("0.01")

PROGRAM = """
import sys
from datetime import UTC, datetime
from decimal import Decimal
from db.budget import Budget
from db.database import open_database
from recognizer.metering import Call, LedgerMeter

url, session_id, searches, dies = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "dies"
database = open_database(url)
meter = LedgerMeter(database, Budget("USD", per_month=Decimal("0.12")), Decimal("0.01"))
paid = 0
for _ in range(searches):
    with meter.reserve("provider", session_id, 1) as allowed:
        if dies:
            print("held", flush=True)
            sys.stdin.read()
        for _ in range(allowed):
            meter.record(Call(datetime.now(UTC), "provider", "Search", 1, 1, 0.01, "ok", session_id))
            paid += 1
print(paid)
database.close()
"""


@pytest.fixture
def session_id(database: Database) -> int:
    with database.writing() as session:
        make_course(session, "BIO")
        return start_session(session, "BIO", "", START, 45).id


def meter(database: Database, per_session: str | None = None, per_month: str | None = None) -> LedgerMeter:
    limits = [None if limit is None else Decimal(limit) for limit in (per_session, per_month)]
    return LedgerMeter(database, Budget("USD", *limits), CENT)


def call(session_id: int | None, price: float = 0.01, outcome: str = "ok") -> Call:
    billed = 1 if outcome == "ok" else 0
    return Call(datetime.now(UTC), "provider", "Search", 1, billed, price * billed, outcome, session_id)


def held_and_spent(database: Database, scope: str | int) -> Account:
    with database.reading() as session:
        return account(session, "USD", scope)


def rows(database: Database, outcome: str) -> int:
    with database.reading() as session:
        found = select(func.count()).where(EngineCallRow.outcome == outcome)
        return session.scalar(found) or 0


def this_month() -> str:
    return month_of(datetime.now(UTC))


def test_a_call_is_kept_as_it_was_made(database: Database, session_id: int) -> None:
    made = replace(call(session_id, price=0.0004), attempts=3)
    meter(database).record(made)
    with database.reading() as session:
        row = session.scalars(select(EngineCallRow)).one()
    assert (row.at, row.engine, row.operation, row.attempts) == (made.at, "provider", "Search", 3)
    assert (row.billed, row.price_micros, row.currency) == (1, 400, "USD")
    assert (row.outcome, row.session_id) == ("ok", session_id)


def test_what_was_not_billed_is_given_back(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="0.05")
    with purse.reserve("provider", session_id, 4) as allowed:
        assert allowed == 4
        assert held_and_spent(database, session_id) == Account(Decimal(0), 4 * CENT)
        purse.record(call(session_id))
        purse.record(call(session_id, outcome="ThrottlingException"))
        assert held_and_spent(database, session_id) == Account(CENT, 3 * CENT)
    assert held_and_spent(database, session_id) == Account(CENT, Decimal(0))
    assert held_and_spent(database, this_month()) == Account(CENT, Decimal(0))


def test_a_search_that_fails_gives_its_money_back(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="0.01")
    with pytest.raises(RuntimeError), purse.reserve("provider", session_id, 1):
        raise RuntimeError
    with purse.reserve("provider", session_id, 1) as allowed:
        assert allowed == 1


def test_what_the_budget_does_not_allow_is_kept_as_refused(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="0.02")
    with purse.reserve("provider", session_id, 5) as allowed:
        assert allowed == 2
    assert rows(database, OVER_BUDGET) == 3


def test_enrolling_counts_towards_the_month_and_is_never_refused(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="1", per_month="0.02")
    for _ in range(3):
        purse.record(call(None))
    assert held_and_spent(database, this_month()).spent == 3 * CENT
    with purse.reserve("provider", session_id, 1) as allowed:
        assert allowed == 0


def test_a_call_is_paid_out_of_the_month_that_allowed_it(
    database: Database, session_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls(2026, 11, 30, 23, 59, 59, tzinfo=UTC)

    monkeypatch.setattr("recognizer.metering.datetime", Clock)
    purse = meter(database, per_month="0.01")
    with purse.reserve("provider", session_id, 2) as allowed:
        assert allowed == 1
        purse.record(replace(call(session_id), at=late.replace(month=12, day=1, hour=0, minute=0)))
    assert held_and_spent(database, "2026-11") == Account(CENT, Decimal(0))
    assert held_and_spent(database, "2026-12") == Account(Decimal(0), Decimal(0))


def test_threads_together_spend_all_of_the_budget_and_no_more(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="0.17", per_month="1")

    def look(searches: int) -> int:
        with purse.reserve("provider", session_id, searches) as allowed:
            for _ in range(allowed):
                purse.record(call(session_id))
            return allowed

    with ThreadPoolExecutor(8) as pool:
        paid = sum(pool.map(look, [1, 2, 3] * 6))
    assert paid == 17
    assert held_and_spent(database, session_id) == Account(17 * CENT, Decimal(0))
    assert (rows(database, "ok"), rows(database, OVER_BUDGET)) == (17, 36 - 17)


def test_one_looks_rest_is_not_given_away_while_another_look_of_the_session_goes_on(
    database: Database, session_id: int
) -> None:
    purse = meter(database, per_session="0.04")
    with purse.reserve("provider", session_id, 2) as first:
        with purse.reserve("provider", session_id, 2) as second:
            for _ in range(second):
                purse.record(call(session_id))
        with purse.reserve("provider", session_id, 1) as third:
            assert third == 0
        for _ in range(first):
            purse.record(call(session_id))
    assert held_and_spent(database, session_id) == Account(4 * CENT, Decimal(0))


def test_programs_together_spend_all_of_the_months_budget_and_no_more(
    database: Database, database_url: str, session_id: int
) -> None:
    programs = [start(database_url, session_id, 6) for _ in range(3)]
    paid = [int(program.communicate(timeout=120)[0]) for program in programs]
    assert sum(paid) == 12
    assert held_and_spent(database, this_month()) == Account(12 * CENT, Decimal(0))
    assert rows(database, "ok") == 12


def test_what_a_program_held_when_it_died_is_never_spent_again(
    database: Database, database_url: str, session_id: int
) -> None:
    program = start(database_url, session_id, 1, "dies")
    assert program.stdout is not None
    assert program.stdout.readline() == "held\n"
    os.kill(program.pid, signal.SIGKILL)
    program.communicate(timeout=20)
    assert held_and_spent(database, this_month()) == Account(Decimal(0), CENT)
    assert start(database_url, session_id, 13).communicate(timeout=120)[0] == "11\n"
    assert held_and_spent(database, this_month()) == Account(11 * CENT, CENT)


def test_a_running_total_is_the_sum_of_its_calls(database: Database, session_id: int) -> None:
    purse = meter(database, per_session="0.05")
    for searches in (1, 3, 2):
        with purse.reserve("provider", session_id, searches) as allowed:
            for _ in range(allowed):
                purse.record(call(session_id))
    purse.record(call(None, price=0.25))
    with database.reading() as session:
        total = session.scalar(select(func.sum(EngineCallRow.price_micros)))
    assert total is not None
    assert int(total) == as_micros(held_and_spent(database, this_month()).spent) == 300_000


def start(url: str, session_id: int, searches: int, dies: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url, str(session_id), str(searches), dies],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
