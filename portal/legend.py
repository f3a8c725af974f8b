"""What the signs of the timeline mean, flowing into as many lines as it takes."""

from collections.abc import Callable

from db.report import SessionReport
from portal.bars import LIGHTER
from portal.palette import Palette
from portal.svg import element, paint, text
from portal.wording import STATUSES, status

__all__ = ["legend"]

LETTER = 6.7
SIGN = 24.0
APART = 22.0
LINE = 22.0

Sign = Callable[[float, float], str]
"""Draws at x (its left end) and y (its middle)."""


def legend(
    report: SessionReport, left: float, top: float, right: float, palette: Palette
) -> tuple[str, float]:
    """The legend, and where the picture may end below it."""
    parts, x, y = [], left, top + LINE / 2
    for words, sign in _entries(report, palette):
        width = SIGN + len(words) * LETTER + APART
        if x + width - APART > right and x > left:
            x, y = left, y + LINE
        parts.append(sign(x, y))
        parts.append(text(words, x + SIGN, y + 4, font_size=12, **paint(palette, fill="soft")))
        x += width
    return "".join(parts), y + LINE


def _entries(report: SessionReport, palette: Palette) -> list[tuple[str, Sign]]:
    seen = {student.status for student in report.students if student.intervals}
    entries: list[tuple[str, Sign]] = [
        (status(word), _bar(palette, word, None))
        for word in (*STATUSES, *sorted(seen - STATUSES.keys()))
        if word in seen
    ]
    if seen:
        entries.append(("came or went between two looks", _bar(palette, "present", LIGHTER)))
    entries.append(("planned start and end", _stroke(palette, "soft", "3 3", upright=True)))
    if report.looks:
        entries += [
            ("nobody looked", _bar(palette, "band", None)),
            ("heads counted", _stroke(palette, "ink")),
            ("heads identified", _stroke(palette, "present")),
            ("not identified", _bar(palette, "unknown", 0.5)),
            ("look", _tick(palette, "soft", 7)),
            ("look that asked for names", _tick(palette, "accent", 14)),
        ]
    if any(review.kind != "dispute" for review in report.reviews):
        entries.append(("in doubt", _doubt(palette)))
    return entries


def _bar(palette: Palette, colour: str, opacity: float | None) -> Sign:
    edge = "grid" if colour == "band" else None
    return lambda x, y: element(
        "rect",
        x=x,
        y=y - 5,
        width=16,
        height=10,
        rx=2.5,
        opacity=opacity,
        **paint(palette, fill=colour, stroke=edge),
    )


def _stroke(palette: Palette, colour: str, dashes: str | None = None, upright: bool = False) -> Sign:
    if upright:
        return lambda x, y: element(
            "line",
            x1=x + 8,
            x2=x + 8,
            y1=y - 7,
            y2=y + 7,
            stroke_dasharray=dashes,
            **paint(palette, stroke=colour),
        )
    return lambda x, y: element(
        "line", x1=x, x2=x + 16, y1=y, y2=y, stroke_width=2.0, **paint(palette, stroke=colour)
    )


def _tick(palette: Palette, colour: str, height: float) -> Sign:
    return lambda x, y: element(
        "line", x1=x + 12, x2=x + 12, y1=y - height / 2, y2=y + height / 2, stroke_width=2.0, stroke_linecap="round",
        **paint(palette, stroke=colour),
    )  # fmt: skip


def _doubt(palette: Palette) -> Sign:
    return lambda x, y: (
        element("circle", cx=x + 8, cy=y, r=7.0, **paint(palette, fill="ink"))
        + text(
            "?",
            x + 8,
            y + 4,
            text_anchor="middle",
            font_size=10,
            font_weight=700,
            **paint(palette, fill="paper"),
        )
    )
