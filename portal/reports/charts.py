"""Columns over days and hours, drawn by the server: they need no script and print as they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from portal.palette import LIGHT
from portal.svg import element, paint, text, title

__all__ = ["Bar", "draw_bars"]

WIDTH, HEIGHT = 960.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 14.0, 30.0
APART, WIDEST, NARROWEST = 62.0, 46.0, 1.5
"""Pixels between labels, and of a column."""
LONGEST_STEP = 96.0
"""From column to column: a few of them stand at the left, not far apart."""
STEPS = (4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """`label`: below it; `value`: None where there is nothing to show; `words`: when the pointer rests on it."""

    label: str
    value: float | None
    words: str


def draw_bars(bars: Sequence[Bar], name: str, percent: bool = False, limit: float | None = None) -> str:
    """An SVG picture. `percent`: values are shares, 0 to 1. `limit`: a share to draw a line at. Every text is escaped."""
    top = 1.0 if percent else _ceiling(max((bar.value or 0.0 for bar in bars), default=0.0))
    parts = [*_grid(top, percent)]
    step = min((WIDTH - LEFT - RIGHT) / max(len(bars), 1), LONGEST_STEP)
    width = max(NARROWEST, min(WIDEST, step * 0.72))
    every = max(1, round(APART / step + 0.5))
    for place, bar in enumerate(bars):
        middle = LEFT + step * (place + 0.5)
        if bar.value is not None:
            short = limit is not None and bar.value < limit
            high = _y(bar.value, top)
            parts.append(
                element(
                    "rect",
                    title(bar.words),
                    x=middle - width / 2,
                    y=min(high, HEIGHT - BOTTOM - 1.0),
                    width=width,
                    height=max(HEIGHT - BOTTOM - high, 1.0),
                    rx=min(3.0, width / 3),
                    **paint(LIGHT, fill="late" if short else "accent"),
                )
            )
        if place % every == 0:
            parts.append(
                text(
                    bar.label,
                    middle,
                    HEIGHT - 10,
                    text_anchor="middle",
                    font_size=12,
                    **paint(LIGHT, fill="soft"),
                )
            )
    if limit is not None:
        y = _y(limit, top)
        parts.append(
            element(
                "line",
                title(f"Limit of the course: {limit:.0%}"),
                x1=LEFT,
                x2=WIDTH - RIGHT,
                y1=y,
                y2=y,
                stroke_width=1.5,
                stroke_dasharray="5 4",
                **paint(LIGHT, stroke="absent"),
            )
        )
    return element(
        "svg",
        title(name),
        *parts,
        class_="bars",
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=name,
        xmlns="http://www.w3.org/2000/svg",
    )


def _grid(top: float, percent: bool) -> list[str]:
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share * top, top)
        words = f"{share * 100:.0f} %" if percent else f"{share * top:g}"
        colours = paint(LIGHT, stroke="grid")
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, stroke_width=1.0, **colours))
        parts.append(
            text(words, LEFT - 8, y + 4, text_anchor="end", font_size=12, **paint(LIGHT, fill="soft"))
        )
    return parts


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(value / top, 0.0), 1.0))


def _ceiling(highest: float) -> float:
    """A round number not below it whose quarters are whole."""
    size = 1.0
    while True:
        for step in STEPS:
            if step * size >= highest:
                return step * size
        size *= 10
