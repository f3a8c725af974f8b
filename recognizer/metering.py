"""What is asked of a provider and what it costs: the seams, and their keeping in the ledger's database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy.orm import Session

from db.budget import Budget, as_micros, hold, month_of, release, spend
from db.costs import NewCall, record_call, record_refusals
from db.database import Database

__all__ = ["Call", "EmptyPurse", "LedgerMeter", "Meter", "Purse"]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider that was answered or given up.

    `at`: aware, when it ended. `operation`: the provider's name for it, as `SearchFacesByImage`. `attempts`: how often
    it was sent. `billed`: images the provider bills for it, 0 where it refused. `price`: of all of them, in the
    configured currency. `outcome`: `ok` or the provider's error code. `session_id`: the class it was for, or None.
    """

    at: datetime
    engine: str
    operation: str
    attempts: int
    billed: int
    price: float
    outcome: str
    session_id: int | None


class Meter(Protocol):
    """Keeps account of calls. Safe to share between threads."""

    def record(self, call: Call) -> None:
        """Keep the call durably. Raises the stores' errors: what cannot be accounted for is not to go unnoticed."""


class Purse(Protocol):
    """Says how many searches may be paid for. Safe to share between threads."""

    def reserve(self, engine: str, session_id: int | None, searches: int) -> AbstractContextManager[int]:
        """Hold back the price of up to so many searches; entering says of how many.

        Leaving gives back what was not billed meanwhile. Raises the stores' errors.
        """


class EmptyPurse:
    """The purse where no account can be kept: nothing is paid for."""

    def reserve(self, engine: str, session_id: int | None, searches: int) -> AbstractContextManager[int]:
        del engine, session_id, searches
        return nullcontext(0)


@dataclass(slots=True)
class _Pool:
    """What this process holds back for one session, in millionths by month, and for how many looks at once."""

    looks: int = 0
    micros: dict[str, int] = field(default_factory=dict)


class LedgerMeter:
    """The meter and the purse on the ledger's database, for threads and programs that share one budget.

    A call for a session is paid out of what this process holds back for it, as far as that goes. Which of several looks
    at once a call belongs to is not known, so what is left over is given back when the last of them has its answers.
    """

    def __init__(self, database: Database, budget: Budget, search_price: Decimal) -> None:
        self._database = database
        self._budget = budget
        self._price_micros = as_micros(search_price)
        self._lock = threading.Lock()
        self._pools: dict[int | None, _Pool] = {}

    def record(self, call: Call) -> None:
        micros = as_micros(call.price)
        paid_from = self._take(call.session_id, micros)
        new = NewCall(
            call.at,
            call.engine,
            call.operation,
            call.attempts,
            call.billed,
            micros,
            call.outcome,
            call.session_id,
        )

        def write(session: Session) -> None:
            record_call(session, new, self._budget.currency)
            rest = micros
            for month, part in paid_from:
                # Counted in the month it was held back in: that month's account is the one that allowed it.
                spend(session, self._budget.currency, month, call.session_id, part, held=True)
                rest -= part
            if rest:
                spend(session, self._budget.currency, month_of(call.at), call.session_id, rest, held=False)

        # Should this fail, what was taken stays held back: the call was made, and nobody else is to spend its price.
        self._write(write)

    @contextmanager
    def reserve(self, engine: str, session_id: int | None, searches: int) -> Iterator[int]:
        if self._budget.per_session is None and self._budget.per_month is None:
            yield searches
            return
        now = datetime.now(UTC)
        month, price, currency = month_of(now), self._price_micros, self._budget.currency
        allowed = 0

        def ask(session: Session) -> None:
            nonlocal allowed
            allowed = hold(session, self._budget, month, session_id, price, searches)
            record_refusals(session, now, engine, session_id, currency, searches - allowed)

        self._write(ask)
        with self._lock:
            pool = self._pools.setdefault(session_id, _Pool())
            pool.looks += 1
            pool.micros[month] = pool.micros.get(month, 0) + allowed * price
        try:
            yield allowed
        finally:
            for when, left in self._leave(session_id).items():
                self._give_back(when, session_id, left)

    def _take(self, session_id: int | None, micros: int) -> list[tuple[str, int]]:
        """Take so much, or as much as there is, out of what is held back for the session; by month, oldest first."""
        taken = []
        with self._lock:
            pool = self._pools.get(session_id, _Pool())
            for month in sorted(pool.micros):
                part = min(pool.micros[month], micros)
                if part:
                    pool.micros[month] -= part
                    micros -= part
                    taken.append((month, part))
        return taken

    def _leave(self, session_id: int | None) -> dict[str, int]:
        """One look less; returns what is left by month when it was the last one, else nothing."""
        with self._lock:
            pool = self._pools[session_id]
            pool.looks -= 1
            if pool.looks:
                return {}
            del self._pools[session_id]
            return {month: micros for month, micros in pool.micros.items() if micros}

    def _give_back(self, month: str, session_id: int | None, micros: int) -> None:
        self._write(lambda session: release(session, self._budget.currency, month, session_id, micros))

    def _write(self, action: Callable[[Session], None]) -> None:
        # Money is counted once: what may have been committed is not done again.
        self._database.transact(action, idempotent=False)
