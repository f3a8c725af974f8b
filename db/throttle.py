"""How often something may be tried: counted in the ledger, so that all programs of a portal share the count.

Time is cut into windows that begin with the first try. Names are kept as SHA-256 and for an hour at most.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db.schema import ThrottleRow
from db.upsert import upsert

__all__ = [
    "LONGEST_WINDOW",
    "Limit",
    "Tries",
    "forget_tries",
    "give_back",
    "sweep_throttles",
    "take_try",
    "wait",
]

LONGEST_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `tries` within a `window`, an hour at most. `name`: tells what is counted from what else is."""

    name: str
    tries: int
    window: timedelta

    def __post_init__(self) -> None:
        if not timedelta() < self.window <= LONGEST_WINDOW:
            raise ValueError(f"a window of {self.window} is none; take more than nothing and at most an hour")


@dataclass(frozen=True, slots=True)
class Tries:
    """What somebody's tries are counted under. `who`: an address, a user; any text."""

    limit: Limit
    who: str

    @property
    def bucket(self) -> str:
        return hashlib.sha256(f"{self.limit.name}\n{self.who}".encode()).hexdigest()


def wait(session: Session, tries: Tries, now: datetime) -> timedelta | None:
    """How long nothing more may be tried; None where it may be. Counts nothing."""
    row = session.scalar(select(ThrottleRow).where(ThrottleRow.bucket == tries.bucket))
    return None if row is None else _wait(row, tries.limit, now)


def take_try(session: Session, tries: Tries, now: datetime) -> timedelta | None:
    """Count a try. Returns None, or how long to wait where it was one too many, which is not counted."""
    bucket, limit = tries.bucket, tries.limit
    upsert(session, ThrottleRow, [{"bucket": bucket, "tries": 0, "counted_since": now}], key=["bucket"])
    row = session.scalars(select(ThrottleRow).where(ThrottleRow.bucket == bucket).with_for_update()).one()
    if now - row.since >= limit.window:
        row.tries, row.since = 0, now
    left = _wait(row, limit, now)
    if left is None:
        row.tries += 1
        session.flush()
    return left


def give_back(session: Session, tries: Tries) -> None:
    """Take back one that was counted: it succeeded."""
    session.execute(
        update(ThrottleRow)
        .where(ThrottleRow.bucket == tries.bucket, ThrottleRow.tries > 0)
        .values(tries=ThrottleRow.tries - 1)
    )


def forget_tries(session: Session, tries: Tries) -> None:
    """Begin to count anew."""
    session.execute(delete(ThrottleRow).where(ThrottleRow.bucket == tries.bucket))


def sweep_throttles(session: Session, now: datetime) -> None:
    """Remove what counts no more."""
    session.execute(delete(ThrottleRow).where(ThrottleRow.since < now - LONGEST_WINDOW))


def _wait(row: ThrottleRow, limit: Limit, now: datetime) -> timedelta | None:
    left = row.since + limit.window - now
    return left if row.tries >= limit.tries and left > timedelta() else None
