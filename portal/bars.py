"""A student's stays as bars: solid where looks saw them, lighter where they came or went between two looks."""

from datetime import datetime

from db.report import StudentLine
from portal.moments import between_joined, between_left, clock
from portal.palette import Palette
from portal.svg import element, paint, title
from portal.time_axis import TimeAxis

__all__ = ["LIGHTER", "stay_bars"]

LIGHTER = 0.32
"""Opacity of a bar where nobody looked."""

NARROWEST = 3.0
"""Pixels of a stay that one look saw."""


def stay_bars(student: StudentLine, axis: TimeAxis, top: float, height: float, palette: Palette) -> str:
    """The bars of one row."""

    def bar(begin: datetime, end: datetime, opacity: float | None, narrowest: float) -> str:
        left, right = axis.x(begin), axis.x(end)
        missing = max(narrowest - (right - left), 0.0)
        return element(
            "rect",
            x=left - missing / 2,
            y=top,
            width=right - left + missing,
            height=height,
            rx=min(height / 4, 3.0) if opacity is None else None,
            opacity=opacity,
        )

    drawn = []
    for stay in student.intervals:
        parts = [
            title(
                _sentence(
                    student, stay.not_before, stay.seen_from, stay.seen_to, stay.not_after, axis.time_zone
                )
            )
        ]
        if stay.not_before is not None:
            parts.append(bar(stay.not_before, stay.seen_from, LIGHTER, 0.0))
        if stay.not_after is not None:
            parts.append(bar(stay.seen_to, stay.not_after, LIGHTER, 0.0))
        parts.append(bar(stay.seen_from, stay.seen_to, None, NARROWEST))
        drawn.append(element("g", *parts))
    return element("g", *drawn, **paint(palette, fill=student.status)) if drawn else ""


def _sentence(
    student: StudentLine,
    not_before: datetime | None,
    seen_from: datetime,
    seen_to: datetime,
    not_after: datetime | None,
    time_zone: str,
) -> str:
    return (
        f"{student.name}: seen {clock(seen_from, time_zone)} to {clock(seen_to, time_zone)}; "
        f"joined: {between_joined(not_before, seen_from, time_zone)}; "
        f"left: {between_left(seen_to, not_after, time_zone)}"
    )
