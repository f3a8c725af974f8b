"""What may still be spent: a session's and a month's account, asked and changed in one step.

Money is counted in whole millionths of the configured currency, so that sums are exact on every database. What is
about to be paid is held back first; when it has been paid it is spent, and when it has not it is released. What a
program that died had held stays held: whether it was paid nobody knows, and a budget is never overspent.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from db.schema import SpendingRow
from db.settings import Settings

__all__ = [
    "Account",
    "Allowance",
    "Budget",
    "account",
    "allowance",
    "as_micros",
    "as_price",
    "budget_of",
    "hold",
    "month_of",
    "release",
    "spend",
]

MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Budget:
    """The most a session and a calendar month may cost, in `currency`. None: no limit. 0: nothing is ever paid for."""

    currency: str
    per_session: Decimal | None = None
    per_month: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Spent, and held back for searches under way (or for those of a program that died), in the currency."""

    spent: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True)
class Allowance:
    """An account beside its limit. `scope`: a month, as `2026-11`, or a session's id. `limit`: None for none."""

    scope: str | int
    limit: Decimal | None
    account: Account

    @property
    def left(self) -> Decimal | None:
        """What may still be spent, never below 0; None where there is no limit."""
        if self.limit is None:
            return None
        return max(Decimal(0), self.limit - self.account.spent - self.account.held)


def budget_of(settings: Settings) -> Budget:
    return Budget(settings.currency, settings.budget_per_session, settings.budget_per_month)


def as_micros(price: Decimal | float) -> int:
    """An amount in millionths, rounded to the nearest."""
    return int((Decimal(str(price)) * MICROS).to_integral_value())


def as_price(micros: int) -> Decimal:
    return Decimal(micros) / MICROS


def month_of(at: datetime) -> str:
    """The calendar month in UTC, as `2026-11`."""
    return f"{at.astimezone(UTC):%Y-%m}"


def account(session: Session, currency: str, scope: str | int) -> Account:
    """The account of a month (`2026-11`) or of a session (its id)."""
    row = session.get(SpendingRow, _key(currency, scope))
    if row is None:
        return Account(Decimal(0), Decimal(0))
    return Account(as_price(row.spent_micros), as_price(row.held_micros))


def allowance(session: Session, budget: Budget, scope: str | int) -> Allowance:
    """What a month (`2026-11`) or a session (its id) may still spend."""
    limit = budget.per_month if isinstance(scope, str) else budget.per_session
    return Allowance(scope, limit, account(session, budget.currency, scope))


def hold(
    session: Session, budget: Budget, month: str, session_id: int | None, price_micros: int, wanted: int
) -> int:
    """Hold back the price of as many of the `wanted` searches as both accounts allow; returns how many those are."""
    limits = {month: budget.per_month}
    if session_id is not None:
        limits[str(session_id)] = budget.per_session
    rows = _locked(session, budget.currency, month, session_id)
    allowed = wanted
    for row, limit in zip(rows, limits.values(), strict=True):
        if limit is None:
            continue
        left = as_micros(limit) - row.spent_micros - row.held_micros
        if not limit:
            allowed = 0
        elif price_micros:
            allowed = max(0, min(allowed, left // price_micros))
    for row in rows:
        row.held_micros += allowed * price_micros
    session.flush()
    return allowed


def spend(
    session: Session, currency: str, month: str, session_id: int | None, micros: int, *, held: bool
) -> None:
    """Enter what was paid. `held`: it had been held back, in these same accounts."""
    for row in _locked(session, currency, month, session_id):
        row.spent_micros += micros
        row.held_micros -= micros if held else 0
    session.flush()


def release(session: Session, currency: str, month: str, session_id: int | None, micros: int) -> None:
    """Give back what was held and not paid."""
    for row in _locked(session, currency, month, session_id):
        row.held_micros -= micros
    session.flush()


def _key(currency: str, scope: str | int) -> str:
    return f"{scope} {currency}" if isinstance(scope, str) else f"session {scope} {currency}"


def _locked(session: Session, currency: str, month: str, session_id: int | None) -> list[SpendingRow]:
    """The month's row, then the session's, made where missing and locked until the transaction ends.

    Always in this order, so that two programs never wait for each other.
    """
    keys = [_key(currency, month)]
    if session_id is not None:
        keys.append(_key(currency, session_id))
    return [_lock(session, key) for key in keys]


def _lock(session: Session, key: str) -> SpendingRow:
    query = (
        select(SpendingRow)
        .where(SpendingRow.scope == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if (row := session.scalar(query)) is not None:
        return row
    empty = {"scope": key, "spent_micros": 0, "held_micros": 0}
    # Another program may be making the same row: who comes second finds it instead of failing.
    if session.get_bind().dialect.name == "sqlite":
        session.execute(sqlite.insert(SpendingRow).values(empty).on_conflict_do_nothing())
    else:
        session.execute(mysql.insert(SpendingRow).values(empty).on_duplicate_key_update(scope=key))
    return session.scalars(query).one()
