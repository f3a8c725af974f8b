"""The days that a report is about, as they are typed into its form."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.errors import PortalError

__all__ = ["NO_SPAN", "Span", "read_span"]

LONGEST = 40
"""Characters of a date that are shown again."""


@dataclass(frozen=True, slots=True)
class Span:
    """First and last day, None for no limit; a session belongs to the day on which it begins in the course's zone."""

    first: date | None = None
    last: date | None = None

    @property
    def query(self) -> dict[str, str]:
        """As the form sends it."""
        found = {"from": self.first, "to": self.last}
        return {name: on.isoformat() for name, on in found.items() if on is not None}

    @property
    def words(self) -> str:
        """e.g. `2 Mar 2026 to 30 Jun 2026`."""
        if self.first is None and self.last is None:
            return "All sessions so far"
        if self.first is None:
            return f"Up to {_day(self.last)}"
        if self.last is None:
            return f"From {_day(self.first)} on"
        return _day(self.first) if self.first == self.last else f"{_day(self.first)} to {_day(self.last)}"

    def moments(self, time_zone: str) -> tuple[datetime | None, datetime | None]:
        """The midnight that begins the first day, and the one that ends the last."""
        there = ZoneInfo(time_zone)
        begins = None if self.first is None else datetime.combine(self.first, time(), there)
        ends = None if self.last is None else datetime.combine(self.last + timedelta(days=1), time(), there)
        return begins, ends


NO_SPAN = Span()


def read_span(args: Mapping[str, str]) -> Span:
    """Of the fields `from` and `to`, each empty or a date. Raises PortalError with the value and the remedy."""
    first, last = (
        _date(args.get(name, "").strip(), words) for name, words in (("from", "From"), ("to", "To"))
    )
    if first is not None and last is not None and last < first:
        raise PortalError(
            f"the days from {first} to {last} are none; give a last day that is not before the first"
        )
    return Span(first, last)


def _date(text: str, words: str) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise PortalError(f"{words} {text[:LONGEST]!r} is no date; write e.g. 2026-03-02") from error
    # Beyond, there is no midnight in every zone, and no class.
    if not 1971 <= found.year <= 9000:
        raise PortalError(f"{words} {text!r} is out of range; give a year from 1971 to 9000")
    return found


def _day(on: date | None) -> str:
    return "" if on is None else f"{on.day} {on:%b %Y}"
