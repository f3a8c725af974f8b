"""Many rows as one line of text, put together by the database: the driver takes several times as long to read each of them."""

from typing import Any

from sqlalchemy import SQLColumnExpression, String, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["line_of_all"]


class line_of_all(FunctionElement[str]):  # noqa: N801 - a function of SQL
    """An aggregate: of each row of a group its columns and texts, one after another, and `separator` between rows.

    Columns are numbers, moments, and texts of one collation: MySQL refuses identifiers beside titles. Rows of which one is
    NULL are left out; of a group without others the line is NULL. The order is the database's own, and the longest line what
    `db.connections` sets. A moment is written as `2026-11-22 09:15:00.000000`, in UTC.
    """

    type = String()
    inherit_cache = True

    def __init__(self, *columns: SQLColumnExpression[Any] | str, separator: str) -> None:
        parts = [literal(one, String()) if isinstance(one, str) else one for one in columns]
        super().__init__(literal(separator, String()), *parts)


@compiles(line_of_all)
def _of_arguments(element: line_of_all, compiler: SQLCompiler, **words: Any) -> str:
    # MySQL's own way takes half as long as its concat() with casts.
    separator, *columns = (compiler.process(one, **words) for one in element.clauses)
    return f"group_concat({', '.join(columns)} SEPARATOR {separator})"


@compiles(line_of_all, "sqlite")
def _of_one_text(element: line_of_all, compiler: SQLCompiler, **words: Any) -> str:
    separator, *columns = (compiler.process(one, **words) for one in element.clauses)
    return f"group_concat({' || '.join(columns)}, {separator})"
