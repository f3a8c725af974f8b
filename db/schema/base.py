"""The base of all tables: names of constraints, character set, engine."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

__all__ = ["Base", "table_args"]


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # Text is compared byte by byte, as SQLite does it. See docs/decisions/018-text-is-compared-by-bytes.md.
    __table_args__: object = {
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_bin",
        "mysql_engine": "InnoDB",
    }


def table_args(*constraints: object) -> tuple[object, ...]:
    return (*constraints, Base.__table_args__)
