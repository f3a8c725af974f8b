"""Column types that behave the same on SQLite and on MySQL or MariaDB."""

from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, Double, Integer, String
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Identifier", "Key", "Real", "UTCDateTime"]

Key = BigInteger().with_variant(Integer(), "sqlite")
"""Surrogate keys: 64 bits; SQLite only counts up by itself in a column declared INTEGER."""

Real: Double[float] = Double()
"""Double precision everywhere: MySQL's FLOAT holds seven digits only."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC with microseconds. Naive datetimes are refused with ValueError."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[datetime]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        # A fixed width with microseconds, so that text order is time order.
        return dialect.type_descriptor(sqlite.DATETIME(truncate_microseconds=False))  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value.isoformat()}: give it a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class Identifier(TypeDecorator[str]):
    """A short text compared byte by byte on every engine: `Ann`, `ann` and `Ann ` are three identifiers."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        if dialect.name in {"mysql", "mariadb"}:
            # These also tell trailing spaces apart, and neither server knows the other one's.
            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(String(self.length))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        if value is not None and len(value) > self.length:
            raise ValueError(f"{value[:20]!r}… has {len(value)} characters, at most {self.length} fit")
        return value
