"""Calls to a provider as they were made, and what they cost."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from db.budget import as_price
from db.errors import GridrollError
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
    return _costs(session, EngineCallRow.session_id == row.id, [row.id], currency, search_price)


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
    paid = select(EngineCallRow.session_id).where(within, EngineCallRow.session_id.is_not(None))
    held = (SessionRow.starts_at >= begins) & (SessionRow.starts_at < ends)
    ids = session.scalars(select(SessionRow.id).where(or_(held, SessionRow.id.in_(paid)))).all()
    return _costs(session, within, ids, currency, search_price)


def _costs(
    session: Session,
    calls: ColumnElement[bool],
    session_ids: Iterable[int],
    currency: str,
    search_price: Decimal,
) -> Costs:
    looks = session.execute(
        select(
            LookRow.session_id, LookRow.taken_at, LookRow.headcount, LookRow.searches, SessionRow.starts_at
        )
        .join(SessionRow, SessionRow.id == LookRow.session_id)
        .where(LookRow.session_id.in_(session_ids))
        .order_by(LookRow.session_id, LookRow.taken_at)
    ).all()
    first: dict[tuple[int, int], int] = {}
    for look in looks:
        hour = (look.taken_at - look.starts_at) // timedelta(hours=1)
        first.setdefault((look.session_id, hour), look.headcount)
    heads, hourly = sum(look.headcount for look in looks), sum(first.values())
    return Costs(
        lines=_lines(session, calls, currency),
        currency=currency,
        searched=sum(look.searches for look in looks),
        every_look=Would(heads, heads * search_price),
        hourly=Would(hourly, hourly * search_price),
    )


def _lines(session: Session, calls: ColumnElement[bool], currency: str) -> tuple[CostLine, ...]:
    row = EngineCallRow
    refused = func.sum(case((row.outcome == OVER_BUDGET, 1), else_=0))
    failed = func.sum(case((row.outcome.in_(["ok", OVER_BUDGET]), 0), else_=1))
    found = session.execute(
        select(
            row.session_id,
            Course.code,
            SessionRow.title,
            row.engine,
            row.operation,
            func.count() - refused,
            failed,
            func.sum(row.billed),
            refused,
            func.sum(row.price_micros),
        )
        .select_from(row)
        .join(SessionRow, SessionRow.id == row.session_id, isouter=True)
        .join(Course, Course.id == SessionRow.course_id, isouter=True)
        .where(calls, row.currency == currency)
        .group_by(row.session_id, Course.code, SessionRow.title, row.engine, row.operation)
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
        for key, course, title, engine, operation, made, without, billed, denied, micros in found
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
