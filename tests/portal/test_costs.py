"""`gridroll costs`, and the price on a session's page."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from db.budget import month_of, spend
from db.costs import NewCall, record_call, record_refusals
from db.database import Database
from db.errors import GridrollError
from portal.commands import costs
from portal.prices import money
from tests.portal.cast import ADMIN, START, STUDENT_A
from tests.portal.conftest import Browser


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database, meeting: int) -> int:
    """A session with three paid searches and two that the budget did not allow; and a face indexed."""
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path))
    monkeypatch.setenv("GRIDROLL_BUDGET_PER_SESSION", "0.005")
    with database.writing() as session:
        for session_id, operation in [(meeting, "SearchFacesByImage")] * 3 + [(None, "IndexFaces")]:
            record_call(
                session, NewCall(START, "rekognition", operation, 1, 1, 1000, "ok", session_id), "USD"
            )
            spend(session, "USD", month_of(START), session_id, 1000, held=False)
        record_refusals(session, START, "rekognition", meeting, "USD", 2)
    return meeting


def run(*arguments: object) -> Result:
    return CliRunner().invoke(costs, list(map(str, arguments)))


def test_the_table_says_what_was_paid_what_is_left_and_what_other_ways_would_have_cost(paid: int) -> None:
    shown = run("--session", paid).stdout
    for expected in (
        f"Costs of session {paid}: Limits",
        "SearchFacesByImage",
        "0.003 USD for 3 billed images.",
        "2 searches were not made because the budget was spent",
        "Naming everybody at every look would have cost 0.034 USD (34 searches), once an hour 0.001 USD (1 search).",
        f"Budget of session {paid}: 0.003 USD of 0.005 USD spent, 0.002 USD left.",
        f"Budget of {month_of(datetime.now(UTC))}: no limit, 0.00 USD spent.",
    ):
        assert expected in shown


def test_a_months_table_holds_what_no_session_asked_for(paid: int) -> None:
    shown = run("--month", "2026-03").stdout
    assert "IndexFaces" in shown
    assert "0.004 USD for 4 billed images." in shown
    assert "Budget of 2026-03: no limit, 0.004 USD spent." in shown


def test_a_month_without_calls_says_so(paid: int) -> None:
    shown = run("--month", "2025-01").stdout
    assert "No provider was asked for anything." in shown


def test_the_bill_in_json_is_json_and_nothing_else(paid: int) -> None:
    bill = json.loads(run("--session", paid, "--format", "json").stdout)
    assert (bill["scope"], bill["currency"], bill["price"]) == (paid, "USD", 0.003)
    assert (bill["searched"], bill["billed"], bill["refused"]) == (3, 3, 2)
    assert bill["compared"]["every_look"] == {"searches": 34, "price": 0.034}
    assert bill["budgets"][0] == {"scope": paid, "limit": 0.005, "spent": 0.003, "held": 0.0, "left": 0.002}
    assert bill["calls"][0]["course"] == "MATH-101"


def test_the_bill_in_csv_has_a_line_for_each_operation(paid: int) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--month", "2026-03", "--format", "csv").stdout)))
    assert [(row["session"], row["operation"], row["billed"], row["price"]) for row in rows] == [
        (str(paid), "SearchFacesByImage", "3", "0.003"),
        (str(paid), "search", "0", "0"),
        ("", "IndexFaces", "1", "0.001"),
    ]


def test_a_bill_is_of_a_session_or_of_a_month(paid: int) -> None:
    result = run("--session", paid, "--month", "2026-03")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr
    assert isinstance(run("--month", "March").exception, GridrollError)


def test_a_sessions_page_says_what_it_cost(browser: Browser, paid: int) -> None:
    browser.sign_in(ADMIN)
    page = browser.get(f"/sessions/{paid}").text
    assert "0.003 USD paid. 2 searches were not made because the budget was spent." in page


def test_a_session_nobody_was_paid_for_says_nothing_of_money(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    assert "USD" not in browser.get(f"/sessions/{meeting}").text


def test_a_student_sees_no_prices(browser: Browser, paid: int) -> None:
    browser.sign_in(STUDENT_A)
    assert "USD" not in browser.get("/me").text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.00"),
        ("12.5", "12.50"),
        ("0.0004", "0.0004"),
        ("1000000", "1000000.00"),
        ("0.0000001", "0.00"),
    ],
)
def test_amounts_have_the_decimals_they_need(amount: str, shown: str) -> None:
    assert money(Decimal(amount), "USD") == f"{shown} USD"
