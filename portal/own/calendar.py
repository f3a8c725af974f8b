"""A term at a glance: a column for each week, a square for each day with sessions, coloured by what became of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db.own_record import OwnMark
from portal.moments import day, hours, local
from portal.palette import LIGHT
from portal.svg import element, paint, text, title
from portal.wording import status

__all__ = ["WEEKS", "Day", "Term", "draw_term", "term_of"]

WEEKS = 18
"""A term with its examinations; as many columns as a phone has room for."""

LEFT, TOP, PITCH, CELL = 30, 18, 16, 13
WEEKDAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")
MONTH_APART = 2
"""Weeks between two names of months, so that they do not touch."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day with sessions, in the time zones of their courses; in order of time."""

    on: date
    marks: tuple[OwnMark, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """Some weeks from a Monday on. `earlier`, `later`: the last day of the weeks before and after; None: nothing is there."""

    monday: date
    days: tuple[Day, ...]
    earlier: date | None
    later: date | None

    @property
    def last(self) -> date:
        return self.monday + timedelta(weeks=WEEKS, days=-1)


def term_of(marks: Sequence[OwnMark], until: date | None = None) -> Term:
    """The weeks up to that of `until`; None: up to the newest session. There is at least one mark."""
    days: dict[date, list[OwnMark]] = defaultdict(list)
    for mark in sorted(marks, key=lambda mark: mark.starts_at):
        days[local(mark.starts_at, mark.time_zone).date()].append(mark)
    first, newest = min(days), max(days)
    until = newest if until is None else until
    monday = until - timedelta(days=until.weekday()) - timedelta(weeks=WEEKS - 1)
    term = Term(monday, (), None, None)
    return Term(
        monday,
        tuple(Day(on, tuple(days[on])) for on in sorted(days) if monday <= on <= term.last),
        monday - timedelta(days=1) if first < monday else None,
        min(term.last + timedelta(weeks=WEEKS), newest) if newest > term.last else None,
    )


def draw_term(term: Term) -> str:
    """The picture; every text in it is escaped. What it says is also in a table beside it."""
    width, height = LEFT + WEEKS * PITCH, TOP + 7 * PITCH
    parts = [
        text(name, 0, TOP + row * PITCH + CELL - 3, font_size=10, **paint(LIGHT, fill="soft"))
        for row, name in enumerate(WEEKDAYS)
        if name
    ]
    parts += _months(term.monday)
    shown = {one.on: one for one in term.days}
    for number in range(WEEKS * 7):
        on = term.monday + timedelta(days=number)
        week, weekday = divmod(number, 7)
        parts.append(_square(shown.get(on), LEFT + week * PITCH, TOP + weekday * PITCH))
    return element(
        "svg",
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        class_="term",
        role="img",
        aria_label=f"Calendar of {WEEKS} weeks up to {term.last:%d %b %Y}: {_summary(term.days)}",
    )


def _months(monday: date) -> Iterable[str]:
    before, last = 0, -MONTH_APART
    for week in range(WEEKS):
        # The month that most of the week lies in.
        middle = monday + timedelta(weeks=week, days=3)
        if middle.month != before and week - last >= MONTH_APART:
            yield text(f"{middle:%b}", LEFT + week * PITCH, 10, font_size=10, **paint(LIGHT, fill="soft"))
            before, last = middle.month, week


def _square(one: Day | None, x: float, y: float) -> str:
    if one is None:
        return element("rect", x=x, y=y, width=CELL, height=CELL, rx=3, **paint(LIGHT, fill="band"))
    share = CELL / len(one.marks)
    bands = [
        element(
            "rect",
            x=x,
            y=y + number * share,
            width=CELL,
            # A little less, so that two of a kind are still two.
            height=share - (0.8 if number + 1 < len(one.marks) else 0),
            rx=3 if len(one.marks) == 1 else 1.5,
            **paint(LIGHT, fill=mark.status),
        )
        for number, mark in enumerate(one.marks)
    ]
    return element("g", title("\n".join(_words(mark) for mark in one.marks)), *bands)


def _words(mark: OwnMark) -> str:
    at = f"{day(mark.starts_at, mark.time_zone)}, {hours(mark.starts_at, mark.time_zone)}"
    return f"{at}: {mark.title} ({mark.course.code}), {status(mark.status).lower()}"


def _summary(days: Sequence[Day]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for one in days:
        for mark in one.marks:
            counts[mark.status] += 1
    return ", ".join(f"{status(word).lower()} {count}" for word, count in counts.items()) or "no session"
