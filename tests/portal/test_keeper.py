"""Ledgers that follow by themselves, and go on after what keeps them from it is over."""

import logging
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from db.database import Database
from db.due import due_sessions, mark_due
from db.ledger import catch_up
from portal.keeper import LedgerKeeper
from tests.portal.cast import START, class_of_sixteen


def is_due(database: Database, session_id: int) -> bool:
    with database.reading() as reading:
        return session_id in due_sessions(reading)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def make_due(database: Database, *session_ids: int) -> None:
    with database.writing() as writing:
        mark_due(writing, session_ids)


def run_sql(database: Database, statement: str) -> None:
    with database.writing() as writing:
        writing.execute(text(statement))


def test_what_is_due_is_folded_while_the_keeper_runs_and_not_afterwards(
    database: Database, meeting: int
) -> None:
    make_due(database, meeting)
    with LedgerKeeper(database, every_s=0.02):
        wait_until(lambda: not is_due(database, meeting))
        make_due(database, meeting)
        wait_until(lambda: not is_due(database, meeting))
    make_due(database, meeting)
    time.sleep(0.1)
    assert is_due(database, meeting)


def test_a_database_that_fails_is_told_of_once_and_tried_again(
    database: Database, meeting: int, caplog: pytest.LogCaptureFixture
) -> None:
    run_sql(database, "ALTER TABLE due_folds RENAME TO elsewhere")
    with caplog.at_level(logging.WARNING), LedgerKeeper(database, every_s=0.02):
        time.sleep(0.3)
        run_sql(database, "ALTER TABLE elsewhere RENAME TO due_folds")
        make_due(database, meeting)
        wait_until(lambda: not is_due(database, meeting))
    first, second = (record.getMessage() for record in caplog.records)
    assert first.startswith("the ledgers do not follow, which is tried again: ")
    assert second == "the ledgers follow again"


def test_one_sessions_damage_does_not_keep_the_others_back(
    database: Database, meeting: int, caplog: pytest.LogCaptureFixture
) -> None:
    other = class_of_sixteen(database, START, looks=3)
    run_sql(
        database, f"UPDATE looks SET taken_at = 'noon' WHERE session_id = {meeting} AND uid = 'look-0000'"
    )
    make_due(database, meeting)
    make_due(database, other)
    with caplog.at_level(logging.WARNING), LedgerKeeper(database, every_s=0.02):
        wait_until(lambda: not is_due(database, other))
        time.sleep(0.1)
        assert is_due(database, meeting)
        assert len(caplog.records) == 1
        run_sql(
            database,
            f"UPDATE looks SET taken_at = began_at WHERE session_id = {meeting} AND uid = 'look-0000'",
        )
        wait_until(lambda: not is_due(database, meeting))
    told = [record.getMessage() for record in caplog.records]
    assert told[0].startswith(f"the ledger of session {meeting} does not follow, which is tried again: ")
    assert told[1:] == [f"the ledger of session {meeting} follows again"]


def test_after_each_ledger_the_keeper_rests_three_times_as_long_as_it_folded(
    database: Database, meeting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = class_of_sixteen(database, START, looks=3)
    rests: list[float] = []

    class Resting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout or 0.0)
            return super().wait(0)

    def fold_slowly(database: Database, session_id: int) -> int:
        time.sleep(0.05)
        return catch_up(database, session_id)

    make_due(database, meeting, other)
    monkeypatch.setattr("portal.keeper.catch_up", fold_slowly)
    keeper = LedgerKeeper(database, every_s=0.02)
    keeper._stopping = Resting()
    with keeper:
        wait_until(lambda: rests.count(0.02) > 0)  # a round is over
    first, second, *_ = rests
    assert min(first, second) >= 3 * 0.05
    assert rests[2] == 0.02
