"""Moments as people read them: in the course's time zone, which is always named."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

__all__ = ["FILTERS", "between_joined", "between_left", "clock", "day", "hours", "local", "utc_text", "zone"]

DASH = "–"


def local(moment: datetime, time_zone: str) -> datetime:
    """The moment in an IANA time zone."""
    return moment.astimezone(ZoneInfo(time_zone))


def day(moment: datetime, time_zone: str) -> str:
    """e.g. `Mon 2 Mar 2026`."""
    there = local(moment, time_zone)
    return f"{there:%a} {there.day} {there:%b %Y}"


def hours(moment: datetime, time_zone: str) -> str:
    """e.g. `09:00`."""
    return f"{local(moment, time_zone):%H:%M}"


def clock(moment: datetime | None, time_zone: str) -> str:
    """e.g. `09:02:55`; a dash for None."""
    return DASH if moment is None else f"{local(moment, time_zone):%H:%M:%S}"


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


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with microseconds and `Z`, e.g. `2026-03-02T08:02:55.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


FILTERS: dict[str, Callable[..., Any]] = {
    "between_joined": between_joined,
    "between_left": between_left,
    "clock": clock,
    "day": day,
    "hours": hours,
    "utc_text": utc_text,
    "zone": zone,
}
