"""Course × sessions, as much of it as fits on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db.term import TermLine, TermReport, TermSession
from portal.moments import local

__all__ = ["ORDERS", "Matrix", "MatrixLine", "matrix_of"]

COLUMNS, ROWS = 30, 100
"""Sessions and students on a page; as many sessions fit across a printed one."""

MOST_CELLS = 40_000
"""As many can be shown on one page of the portal; a browser shows more only slowly."""

ORDERS = {"name": "Name", "share": "Lowest attendance first"}


@dataclass(frozen=True, slots=True)
class MatrixLine:
    """`marks`: a status for each session shown, None where none was expected. `short`: came to less than the limit."""

    line: TermLine
    marks: tuple[str | None, ...]
    short: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """Sessions `first` to `last` of `total`, counted from 1, and students `above` + 1 to `above` + len(lines) of `students`.

    `weeks`: the Monday of each week shown, and how many of the sessions are in it. `earlier`, `later`, `before`, `after`:
    where the pages beside this one begin, None where there is none.
    """

    sessions: tuple[TermSession, ...]
    weeks: tuple[tuple[date, int], ...]
    lines: tuple[MatrixLine, ...]
    first: int
    total: int
    above: int
    students: int
    earlier: int | None
    later: int | None
    before: int | None
    after: int | None
    whole: bool
    fits: bool

    @property
    def last(self) -> int:
        return self.first + len(self.sessions) - 1

    @property
    def is_part(self) -> bool:
        """Whether there is more than this page shows."""
        return len(self.sessions) < self.total or len(self.lines) < self.students


def matrix_of(
    report: TermReport, order: str = "name", at: int | None = None, row: int = 0, whole: bool = False
) -> Matrix:
    """`at`: the first session shown, counted from 0; None: so that the last one is shown. `row`: the first student.

    `whole`: all of it on one page, where it fits there.
    """
    total, people = len(report.sessions), _ordered(report, order)
    fits = total * len(people) <= MOST_CELLS
    whole = whole and fits
    columns, rows = (max(total, 1), max(len(people), 1)) if whole else (COLUMNS, ROWS)
    begin = max(0, total - columns) if at is None else min(at, max(0, total - 1))
    top = min(row, max(0, len(people) - 1))
    if whole:
        begin = top = 0
    shown = report.sessions[begin : begin + columns]
    lines = people[top : top + rows]
    return Matrix(
        sessions=shown,
        weeks=_weeks(shown, report.time_zone),
        lines=tuple(
            MatrixLine(line, line.statuses[begin : begin + columns], report.falls_short(line))
            for line in lines
        ),
        first=begin + 1,
        total=total,
        above=top,
        students=len(people),
        earlier=max(0, begin - columns) if begin else None,
        later=begin + columns if begin + columns < total else None,
        before=max(0, top - rows) if top else None,
        after=top + rows if top + rows < len(people) else None,
        whole=whole,
        fits=fits,
    )


def _ordered(report: TermReport, order: str) -> Sequence[TermLine]:
    if order != "share":
        return report.students
    # Sorting keeps the order of names among equals; who has no share yet comes last.
    return sorted(report.students, key=lambda line: (line.share is None, line.share or 0.0))


def _weeks(sessions: Sequence[TermSession], time_zone: str) -> tuple[tuple[date, int], ...]:
    found: list[tuple[date, int]] = []
    for one in sessions:
        on = local(one.starts_at, time_zone).date()
        monday = on - timedelta(days=on.weekday())
        if found and found[-1][0] == monday:
            found[-1] = (monday, found[-1][1] + 1)
        else:
            found.append((monday, 1))
    return tuple(found)
