"""Timetables as people read them."""

from collections.abc import Callable
from datetime import date
from typing import Any

__all__ = ["FILTERS", "WEEKDAYS", "calendar_day", "weekday"]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def weekday(number: int) -> str:
    """0 is Monday."""
    return WEEKDAYS[number]


def calendar_day(text: str) -> str:
    """e.g. `20 Nov 2026` of `2026-11-20`."""
    day = date.fromisoformat(text)
    return f"{day.day} {day:%b %Y}"


FILTERS: dict[str, Callable[..., Any]] = {"calendar_day": calendar_day, "weekday": weekday}
