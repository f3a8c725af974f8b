"""The bill, on SQLite and on MariaDB."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from db.costs import Costs, NewCall, Would, month_costs, record_call, record_refusals, session_costs
from db.database import Database
from db.errors import GridrollError, NotFoundError
from db.looks import NewLook, record_looks
from db.people import make_course
from db.sessions import start_session
from tests.conftest import START

PRICE = Decimal("0.001")


def look(session: Session, session_id: int, minute: float, heads: int, searches: int = 0) -> None:
    at = START + timedelta(minutes=minute)
    record_looks(
        session, [NewLook(session_id, f"u{minute}", at, at, "headcount", heads, searches, 0, (), ())]
    )


def call(
    session: Session,
    session_id: int | None,
    operation: str = "SearchFacesByImage",
    outcome: str = "ok",
    at: datetime = START,
    currency: str = "USD",
) -> None:
    billed = 1 if outcome == "ok" else 0
    new = NewCall(at, "rekognition", operation, 2, billed, 1000 * billed, outcome, session_id)
    record_call(session, new, currency)


@pytest.fixture
def sessions(database: Database) -> tuple[int, int]:
    """Two sessions of November, of ninety minutes each."""
    with database.writing() as session:
        make_course(session, "BIO")
        first = start_session(session, "BIO", "Cells", START, 90).id
        return first, start_session(session, "BIO", "Plants", START + timedelta(days=1), 90).id


def bill_of(database: Database, scope: int | str) -> Costs:
    with database.reading() as session:
        if isinstance(scope, int):
            return session_costs(session, scope, "USD", PRICE)
        return month_costs(session, scope, "USD", PRICE)


def test_a_sessions_bill_counts_its_calls_by_operation(database: Database, sessions: tuple[int, int]) -> None:
    with database.writing() as session:
        for _ in range(3):
            call(session, sessions[0])
        call(session, sessions[0], outcome="ThrottlingException")
        call(session, sessions[0], operation="DetectFaces")
        call(session, sessions[1])
        call(session, None, operation="IndexFaces")
        record_refusals(session, START, "rekognition", sessions[0], "USD", 2)
    bill = bill_of(database, sessions[0])
    assert [
        (line.operation, line.calls, line.failed, line.billed, line.refused, line.price)
        for line in bill.lines
    ] == [
        ("DetectFaces", 1, 0, 1, 0, PRICE),
        ("SearchFacesByImage", 4, 1, 3, 0, 3 * PRICE),
        ("search", 0, 0, 0, 2, Decimal(0)),
    ]
    assert {(line.session_id, line.course, line.title) for line in bill.lines} == {
        (sessions[0], "BIO", "Cells")
    }
    assert (bill.billed, bill.refused) == (4, 2)
    assert bill.price == 4 * PRICE


def test_a_months_bill_holds_what_no_session_asked_for_as_well(
    database: Database, sessions: tuple[int, int]
) -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC)
    with database.writing() as session:
        call(session, sessions[1])
        call(session, sessions[0])
        call(session, None, operation="IndexFaces")
        call(session, sessions[0], at=december - timedelta(microseconds=1))
        call(session, sessions[0], at=december)
        call(session, sessions[0], currency="EUR")
    assert [(line.session_id, line.billed) for line in bill_of(database, "2026-11").lines] == [
        (sessions[0], 2),
        (sessions[1], 1),
        (None, 1),
    ]
    assert [line.billed for line in bill_of(database, "2026-12").lines] == [1]


def test_what_is_compared_is_everybody_at_every_look_and_once_an_hour(
    database: Database, sessions: tuple[int, int]
) -> None:
    with database.writing() as session:
        # The first hour's first look saw ten; the second hour's twelve.
        for minute, heads in ((1, 10), (30, 11), (61, 12), (80, 9)):
            look(session, sessions[0], minute, heads, searches=2)
        look(session, sessions[1], 24 * 60 + 5, 7)
    bill = bill_of(database, sessions[0])
    assert bill.searched == 8
    assert bill.every_look == Would(42, 42 * PRICE)
    assert bill.hourly == Would(22, 22 * PRICE)
    assert bill_of(database, "2026-11").every_look == Would(49, 49 * PRICE)


def test_a_session_paid_for_in_another_month_is_compared_in_both(
    database: Database, sessions: tuple[int, int]
) -> None:
    with database.writing() as session:
        look(session, sessions[0], 1, 10)
        call(session, sessions[0], at=datetime(2027, 1, 4, tzinfo=UTC))
    assert bill_of(database, "2027-01").every_look.searches == 10
    assert bill_of(database, "2026-11").every_look.searches == 10


def test_where_nothing_happened_nothing_is_billed(database: Database, sessions: tuple[int, int]) -> None:
    for scope in (sessions[0], "2026-11"):
        bill = bill_of(database, scope)
        assert (bill.lines, bill.searched, bill.every_look.searches) == ((), 0, 0)
        assert bill.price == 0


@pytest.mark.parametrize(
    "month", ["", "2026", "2026-13", "2026-1", "0000-01", "9999-12", "2026-11-01", "２０２６-11"]
)
def test_what_is_no_month_is_refused(sqlite_database: Database, month: str) -> None:
    with pytest.raises(GridrollError, match="is no month; write"):
        bill_of(sqlite_database, month)


def test_a_session_that_is_none_has_no_bill(sqlite_database: Database) -> None:
    with pytest.raises(NotFoundError, match="no session 99"):
        bill_of(sqlite_database, 99)
