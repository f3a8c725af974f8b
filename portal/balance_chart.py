"""The lower part of the timeline: headcount against identified heads, look by look."""

from db.report import LookLine, SessionReport
from portal.moments import clock
from portal.palette import Palette
from portal.svg import element, paint, text, title
from portal.time_axis import TimeAxis
from portal.wording import trigger

__all__ = ["BalanceChart"]

HEIGHT = 96.0
TICKS = 30.0
"""Pixels below the chart for the marks of the looks."""

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class BalanceChart:
    """Drawn from `top` down to `bottom` (pixels), its words from `text_left`; the axis is that of the rows above."""

    def __init__(
        self, report: SessionReport, axis: TimeAxis, top: float, text_left: float, palette: Palette
    ) -> None:
        self.top, self.bottom = top, top + HEIGHT + TICKS
        self._looks, self._axis, self._palette, self._text_left = report.looks, axis, palette, text_left
        self._most = max((look.headcount for look in report.looks), default=0)
        self._step = next((step for step in STEPS if self._most / step <= 4), 1000)
        self._ceiling = max(-(-self._most // self._step), 1) * self._step

    def draw(self) -> str:
        palette, base = self._palette, self.top + HEIGHT
        parts = [
            text("Heads", self._text_left, self.top + 9, **paint(palette, fill="ink")),
            text("at each look", self._text_left, self.top + 25, font_size=12, **paint(palette, fill="soft")),
            text("Looks", self._text_left, base + 19, **paint(palette, fill="ink")),
            *self._levels(),
        ]
        if self._looks:
            headcount = self._steps([look.headcount for look in self._looks])
            identified = self._steps([look.identified for look in self._looks])
            gap = "M" + " L".join([*headcount, *reversed(identified)]) + " Z"
            parts += [
                element("path", d=gap, opacity=0.5, **paint(palette, fill="unknown")),
                element(
                    "path", d="M" + " L".join(identified), stroke_width=2.0, stroke_linejoin="round",
                    **paint(palette, stroke="present"),
                ),
                element(
                    "path", d="M" + " L".join(headcount), stroke_width=2.0, stroke_linejoin="round",
                    **paint(palette, stroke="ink"),
                ),
                self._last_words(),
                *map(self._mark, self._looks),
            ]  # fmt: skip
        return "".join(parts)

    def _y(self, heads: float) -> float:
        return self.top + HEIGHT * (1 - heads / self._ceiling)

    def _levels(self) -> list[str]:
        parts = []
        for heads in range(0, self._ceiling + 1, self._step):
            y = self._y(heads)
            parts.append(
                element(
                    "line",
                    x1=self._axis.left,
                    x2=self._axis.right,
                    y1=y,
                    y2=y,
                    **paint(self._palette, stroke="grid"),
                )
            )
            parts.append(
                text(
                    str(heads), self._axis.left - 8, y + 4, text_anchor="end", font_size=11,
                    **paint(self._palette, fill="soft"),
                )
            )  # fmt: skip
        return parts

    def _steps(self, heads: list[int]) -> list[str]:
        """Corners of a line that keeps each look's number until the next look."""
        xs = [self._axis.x(look.taken_at) for look in self._looks]
        corners = [f"{xs[0]:.1f} {self._y(heads[0]):.1f}"]
        for index in range(1, len(xs)):
            corners.append(f"{xs[index]:.1f} {self._y(heads[index - 1]):.1f}")
            corners.append(f"{xs[index]:.1f} {self._y(heads[index]):.1f}")
        # The last number has no next look: a short end makes it, or a single look, visible.
        corners.append(f"{xs[-1] + 3:.1f} {self._y(heads[-1]):.1f}")
        return corners

    def _last_words(self) -> str:
        last, x = self._looks[-1], self._axis.right + 16
        upper = self._y(last.headcount) + 4
        lower = max(self._y(last.identified) + 4, upper + 17)
        if lower > self.top + HEIGHT + 4:
            upper, lower = lower - 34, lower - 17
        return text(
            _heads(last.headcount), x, upper, font_weight=600, **paint(self._palette, fill="ink")
        ) + text(
            f"{last.identified} identified", x, lower, font_weight=600, **paint(self._palette, fill="present")
        )

    def _mark(self, look: LookLine) -> str:
        x, top, asked = self._axis.x(look.taken_at), self.top + HEIGHT + 8, look.searches > 0
        said = f"{clock(look.taken_at, self._axis.time_zone)} {trigger(look.trigger)}: {_heads(look.headcount)}, "
        said += f"{look.identified} identified, {look.searches} sent to recognition"
        return element(
            "g",
            title(said),
            element(
                "line", x1=x, x2=x, y1=top, y2=top + (14 if asked else 7), stroke_width=2.0 if asked else 1.2,
                stroke_linecap="round", **paint(self._palette, stroke="accent" if asked else "soft"),
            ),
        )  # fmt: skip


def _heads(count: int) -> str:
    return "1 head" if count == 1 else f"{count} heads"
