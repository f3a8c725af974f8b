"""Moments as people read them: in the course's time zone, which is always named."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

__all__ = [
    "FILTERS",
    "age",
    "at_clock",
    "between_joined",
    "between_left",
    "clock",
    "day",
    "day_month",
    "hours",
    "length_words",
    "local",
    "utc_text",
    "zone",
]

DASH = "–"


def local(moment: datetime, time_zone: str) -> datetime:
    """The moment in an IANA time zone."""
    return moment.astimezone(ZoneInfo(time_zone))


def day(moment: datetime, time_zone: str) -> str:
    """e.g. `Mon 2 Mar 2026`."""
    there = local(moment, time_zone)
    return f"{there:%a} {there.day} {there:%b %Y}"


def day_month(moment: datetime, time_zone: str) -> str:
    """e.g. `2 Mar`."""
    there = local(moment, time_zone)
    return f"{there.day} {there:%b}"


def hours(moment: datetime, time_zone: str) -> str:
    """e.g. `09:00`."""
    return f"{local(moment, time_zone):%H:%M}"


def clock(moment: datetime | None, time_zone: str) -> str:
    """e.g. `09:02:55`; a dash for None."""
    return DASH if moment is None else _clock(moment, time_zone)


@lru_cache(4096)
def _clock(moment: datetime, time_zone: str) -> str:
    # Kept: whoever a look saw has its moment in their row, so that a page shows the same few hundreds of times.
    return f"{local(moment, time_zone):%H:%M:%S}"


def zone(moment: datetime, time_zone: str) -> str:
    """The zone's abbreviation at that moment, e.g. `CET`; `UTC-03` for the zones that have none."""
    name = local(moment, time_zone).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def between_joined(after: datetime | None, by: datetime | None, time_zone: str) -> str:
    """When somebody came, as exactly as looks can tell. `after`: the look before, None where there was none."""
    if by is None:
        return ""
    if after is None:
        return "there at the first look"
    return f"between {clock(after, time_zone)} and {clock(by, time_zone)}"


def between_left(seen: datetime | None, before: datetime | None, time_zone: str) -> str:
    """When somebody went. `before`: the look after the last sighting, None where there was none."""
    if seen is None:
        return ""
    if before is None:
        return "there at the last look"
    return f"between {clock(seen, time_zone)} and {clock(before, time_zone)}"


def at_clock(text: str, near: datetime, time_zone: str) -> datetime:
    """The moment at which the zone's clocks show `09:05` or `09:05:30`, the one nearest to another moment, in UTC.

    Raises ValueError for what is no time, or one that the clocks skip on that day.
    """
    shown = time.fromisoformat(text)
    if shown.tzinfo is not None:
        raise ValueError(f"{text!r} names an offset")
    there, today = ZoneInfo(time_zone), local(near, time_zone).date()
    found = []
    for days in (-1, 0, 1):
        for fold in (0, 1):
            moment = (
                datetime.combine(today + timedelta(days), shown, there).replace(fold=fold).astimezone(UTC)
            )
            if moment.astimezone(there).time() == shown:
                found.append(moment)
    nearest = min(found, key=lambda moment: abs(moment - near))
    # Further away is another day's: on this one, clocks were set forward over the time.
    if abs(nearest - near) > timedelta(hours=13):
        raise ValueError(f"{text!r} is skipped")
    return nearest


def length_words(span: timedelta) -> str:
    """e.g. `4 minutes`, `2 hours`; never less than a minute."""
    minutes = max(round(span / timedelta(minutes=1)), 1)
    if minutes < 90:
        return f"{minutes} {'minute' if minutes == 1 else 'minutes'}"
    return f"{round(minutes / 60)} hours"


def age(span: timedelta) -> str:
    """How long ago something was, e.g. `under a minute ago`."""
    return "under a minute ago" if span < timedelta(minutes=1) else f"{length_words(span)} ago"


@lru_cache(4096)
def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`, e.g. `2026-03-02T08:02:55.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


FILTERS: dict[str, Callable[..., Any]] = {
    "age": age,
    "between_joined": between_joined,
    "between_left": between_left,
    "clock": clock,
    "day": day,
    "day_month": day_month,
    "hours": hours,
    "length_words": length_words,
    "utc_text": utc_text,
    "zone": zone,
}
