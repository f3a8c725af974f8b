"""What providers were asked and paid."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from db.schema.base import Base, table_args
from db.types import Identifier, Key, UTCDateTime

__all__ = ["EngineCallRow", "SpendingRow"]


class EngineCallRow(Base):
    """One request to a provider, or one that the budget did not allow. `price_micros`: millionths of the currency.

    `session_id` is None for what no session asked for, as enrolling. A search not allowed has no attempts.
    """

    __tablename__ = "engine_calls"
    __table_args__ = table_args(
        Index("ix_engine_calls_session_at", "session_id", "ended_at"),
        # A month's bill is read from it alone; calls are stored in the order of time, so it grows at its end.
        Index(
            "ix_engine_calls_bill",
            *("ended_at", "session_id", "engine", "operation"),
            *("outcome", "currency", "billed", "price_micros"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime] = mapped_column("ended_at", UTCDateTime)
    engine: Mapped[str] = mapped_column(Identifier(32))
    operation: Mapped[str] = mapped_column(Identifier(64))
    attempts: Mapped[int] = mapped_column(Integer)
    billed: Mapped[int] = mapped_column(Integer)
    price_micros: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(Identifier(3))
    outcome: Mapped[str] = mapped_column(Identifier(64))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"))


class SpendingRow(Base):
    """What a session or a month has spent of its budget, and what searches under way may still spend.

    A running total of `engine_calls`, kept because a budget must be asked and changed in one step.
    """

    __tablename__ = "spending"

    scope: Mapped[str] = mapped_column(Identifier(40), primary_key=True)
    spent_micros: Mapped[int] = mapped_column(BigInteger)
    held_micros: Mapped[int] = mapped_column(BigInteger)
