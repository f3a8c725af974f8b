"""Spans of time and shares as people write them: `5m`, `90s`, `1h`; `20%`."""

import re

from db.errors import GridrollError

__all__ = ["parse_duration", "parse_share"]

UNITS_S = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> int:
    """Whole seconds, at most a day. Raises GridrollError."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smh])", text.strip())
    seconds = float(found[1]) * UNITS_S[found[2]] if found else -1.0
    if not 0 <= seconds <= 86400 or seconds != int(seconds):
        raise GridrollError(f"{text!r} is no span of time up to a day; write e.g. 5m, 90s or 1h")
    return int(seconds)


def parse_share(text: str) -> float:
    """A share from 0 to 1, of `20%` or `0.2`. Raises GridrollError."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)\s*(%?)", text.strip())
    share = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= share <= 1:
        raise GridrollError(f"{text!r} is no share of the class time; write e.g. 20% or 0.2")
    return share
