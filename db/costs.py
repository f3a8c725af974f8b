"""Calls to a provider as they were made, and what they cost."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, String, case, cast, func, select
from sqlalchemy.orm import Session

from db.budget import as_price
from db.errors import GridrollError
from db.lines import line_of_all
from db.schema import Course, EngineCallRow, LookRow, SessionRow
from db.sessions import find_session
from db.settings import Settings

__all__ = [
    "OVER_BUDGET",
    "CostLine",
    "Costs",
    "NewCall",
    "Would",
    "month_costs",
    "record_call",
    "record_refusals",
    "search_price",
    "session_costs",
    "session_paid",
]

HOUR = timedelta(hours=1)
OVER_BUDGET = "over budget"
"""Outcome of a search that was wanted and not made."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A request that was answered or given up. See `EngineCallRow` for the fields."""

    at: datetime
    engine: str
    operation: str
    attempts: int
    billed: int
    price_micros: int
    outcome: str
    session_id: int | None


@dataclass(frozen=True, slots=True)
class CostLine:
    """What one session (None: no session, as enrolling) asked of one engine's operation.

    `calls` were made, `failed` of them without an answer; `billed` images cost `price`; `refused` searches were not
    made because the budget was spent.
    """

    session_id: int | None
    course: str | None
    title: str | None
    engine: str
    operation: str
    calls: int
    failed: int
    billed: int
    refused: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Would:
    """What another way of taking attendance would have sent to the provider in the same sessions."""

    searches: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Costs:
    """The bill of one session or one month, and what it is to be compared with.

    `searched`: faces sent to any engine, one's own included. `every_look`: everybody named at every look.
    `hourly`: everybody named at the first look of every hour of class.
    """

    lines: tuple[CostLine, ...]
    currency: str
    searched: int
    every_look: Would
    hourly: Would

    @property
    def billed(self) -> int:
        return sum(line.billed for line in self.lines)

    @property
    def refused(self) -> int:
        return sum(line.refused for line in self.lines)

    @property
    def price(self) -> Decimal:
        return sum((line.price for line in self.lines), Decimal(0))


def search_price(settings: Settings) -> Decimal:
    """What the provider bills for one search, in the settings' currency."""
    return Decimal(str(settings.rekognition_price_per_1000)) / 1000


def record_call(session: Session, call: NewCall, currency: str) -> None:
    """Store a call."""
    session.add(
        EngineCallRow(
            at=call.at,
            engine=call.engine,
            operation=call.operation,
            attempts=call.attempts,
            billed=call.billed,
            price_micros=call.price_micros,
            currency=currency,
            outcome=call.outcome,
            session_id=call.session_id,
        )
    )
    session.flush()


def record_refusals(
    session: Session, at: datetime, engine: str, session_id: int | None, currency: str, count: int
) -> None:
    """Store that so many searches were wanted and not made, because the budget was spent."""
    for _ in range(count):
        record_call(session, NewCall(at, engine, "search", 0, 0, 0, OVER_BUDGET, session_id), currency)


def session_costs(session: Session, session_id: int, currency: str, search_price: Decimal) -> Costs:
    """What a session cost in `currency`; others' prices are not added up. Raises NotFoundError.

    `search_price`: of one search, for the comparison.
    """
    row = find_session(session, session_id)
    lines = _lines(session, EngineCallRow.session_id == row.id, currency)
    return _compared(session, lines, [row.id], currency, search_price)


def session_paid(session: Session, session_id: int, currency: str) -> Costs:
    """What was asked and paid for a session, compared with nothing; in one statement."""
    nothing = Would(0, Decimal(0))
    return Costs(
        _lines(session, EngineCallRow.session_id == session_id, currency), currency, 0, nothing, nothing
    )


def month_costs(session: Session, month: str, currency: str, search_price: Decimal) -> Costs:
    """What a calendar month (UTC, as `2026-11`) cost; compared are the sessions held or paid for in it."""
    begins, ends = _span(month)
    within = (EngineCallRow.at >= begins) & (EngineCallRow.at < ends)
    lines = _lines(session, within, currency)
    held = (SessionRow.starts_at >= begins) & (SessionRow.starts_at < ends)
    ids = {line.session_id for line in lines if line.session_id is not None}
    if line := session.scalar(select(line_of_all(SessionRow.id, separator=",")).where(held)):
        ids.update(map(int, line.split(",")))
    return _compared(session, lines, ids, currency, search_price)


def _compared(
    session: Session,
    lines: tuple[CostLine, ...],
    session_ids: Iterable[int],
    currency: str,
    search_price: Decimal,
) -> Costs:
    heads, searched, hourly = 0, 0, 0
    for begins, headcounts, searches, line in session.execute(_looks(session_ids)):
        heads, searched = heads + int(headcounts), searched + int(searches)
        starts_at, hour_ends = datetime.fromisoformat(begins), ""
        for one in sorted(line.split(";")):
            if one >= hour_ends:
                taken_at, headcount = one.split(",")
                hours = (datetime.fromisoformat(taken_at) - starts_at) // HOUR
                hour_ends = (starts_at + (hours + 1) * HOUR).strftime("%Y-%m-%d %H:%M:%S.%f")
                hourly += int(headcount)
    return Costs(
        lines=lines,
        currency=currency,
        searched=searched,
        every_look=Would(heads, heads * search_price),
        hourly=Would(hourly, hourly * search_price),
    )


def _looks(session_ids: Iterable[int]) -> Select[str, int, int, str]:
    """When each session began, the heads and searches of its looks, and in one line when they were taken and their heads."""
    row = LookRow
    begins = cast(func.min(SessionRow.starts_at), String)
    # Of as many looks as a month has, the driver alone would take most of a page's time.
    line = line_of_all(row.taken_at, ",", row.headcount, separator=";")
    query = select(begins, func.sum(row.headcount), func.sum(row.searches), line)
    query = query.join(SessionRow, SessionRow.id == row.session_id)
    return query.where(row.session_id.in_(session_ids)).group_by(row.session_id)


def _lines(session: Session, calls: ColumnElement[bool], currency: str) -> tuple[CostLine, ...]:
    row = EngineCallRow
    refused = func.sum(case((row.outcome == OVER_BUDGET, 1), else_=0))
    failed = func.sum(case((row.outcome.in_(["ok", OVER_BUDGET]), 0), else_=1))
    # Added up first, and named then: titles would make each of the month's calls as large as a page.
    key = (row.session_id, row.engine, row.operation)
    sums = (func.count() - refused, failed, func.sum(row.billed), refused, func.sum(row.price_micros))
    columns = [*key, *(total.label(f"sum_{place}") for place, total in enumerate(sums))]
    added = select(*columns).where(calls, row.currency == currency).group_by(*key).subquery()
    found = session.execute(
        select(Course.code, SessionRow.title, added)
        .select_from(added)
        .join(SessionRow, SessionRow.id == added.c.session_id, isouter=True)
        .join(Course, Course.id == SessionRow.course_id, isouter=True)
    ).all()
    lines = [
        CostLine(
            session_id=key,
            course=course,
            title=title,
            engine=engine,
            operation=operation,
            calls=int(made),
            failed=int(without),
            billed=int(billed),
            refused=int(denied),
            price=as_price(int(micros)),
        )
        for course, title, key, engine, operation, made, without, billed, denied, micros in found
    ]
    return tuple(
        sorted(
            lines,
            key=lambda line: (line.session_id is None, line.session_id or 0, line.engine, line.operation),
        )
    )


def _span(month: str) -> tuple[datetime, datetime]:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}", month, re.ASCII):
            raise ValueError(month)
        begins = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        return begins, (begins + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError) as error:
        raise GridrollError(f"{month!r} is no month; write e.g. 2026-11") from error
