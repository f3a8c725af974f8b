"""From moments to places on a picture."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from portal.moments import hours, local

__all__ = ["Planned", "TimeAxis", "axis_of"]

STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720)
MARGIN = 0.012
"""Share of the span left free at either end, so that the planned start and end are seen as lines."""


class Planned(Protocol):
    """Something with a beginning and an end, in a time zone of its own."""

    @property
    def starts_at(self) -> datetime: ...

    @property
    def ends_at(self) -> datetime: ...

    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """`begin` to `end` drawn from `left` to `right` (pixels)."""

    begin: datetime
    end: datetime
    left: float
    right: float
    time_zone: str

    def x(self, moment: datetime) -> float:
        share = (moment - self.begin) / (self.end - self.begin)
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def ticks(self, apart_px: float) -> list[tuple[float, str]]:
        """Round times of the course's clock with their labels, no closer than so many pixels."""
        per_minute = (self.right - self.left) / ((self.end - self.begin) / timedelta(minutes=1))
        step_min = next((step for step in STEPS_MIN if step * per_minute >= apart_px), 1440)
        there = local(self.begin, self.time_zone)
        since_midnight = timedelta(
            hours=there.hour, minutes=there.minute, seconds=there.second, microseconds=there.microsecond
        )
        step = timedelta(minutes=step_min)
        moment = self.begin + (-since_midnight) % step
        found = []
        while moment <= self.end:
            found.append((self.x(moment), hours(moment, self.time_zone)))
            moment += step
        return found


def axis_of(session: Planned, looks: Iterable[datetime], left: float, right: float) -> TimeAxis:
    """An axis that holds the planned session and all looks at it."""
    moments = [session.starts_at, session.ends_at, *looks]
    begin, end = min(moments), max(moments)
    margin = max((end - begin) * MARGIN, timedelta(seconds=1))
    return TimeAxis(begin - margin, end + margin, left, right, session.time_zone)
