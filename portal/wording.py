"""What the ledger's words mean to people."""

from collections.abc import Callable
from typing import Any

from db.report import ReviewLine
from portal.moments import clock

__all__ = ["FILTERS", "STATUSES", "minutes", "percent", "review_sentence", "source", "status", "trigger"]

STATUSES = {
    "present": ("Present", "In class from the start to the end, within the course's tolerance."),
    "late": ("Late", "Came after the course's tolerance had passed."),
    "left_early": ("Left early", "Was gone before the end by more than the course's tolerance."),
    "absent": ("Absent", "Not seen, or seen for too small a part of the class."),
    "excused": ("Excused", "Absent for a reason that staff accepted."),
    "unverified": ("Unverified", "Not settled yet: the camera was not sure, and staff will decide."),
}
"""Status → (name, meaning), in the order they are listed."""

TRIGGERS = {
    "headcount": "The headcount changed",
    "tile": "A tile looked different",
    "unsettled": "A face had no settled name yet",
    "spot": "Spot check",
    "none": "Nothing changed, nobody asked",
}

SOURCES = {"system": "Gridroll", "staff": "Staff"}


def status(word: str) -> str:
    return STATUSES[word][0] if word in STATUSES else _plain(word)


def trigger(word: str) -> str:
    return TRIGGERS.get(word) or _plain(word)


def source(word: str) -> str:
    return SOURCES.get(word) or _plain(word)


def percent(share: float | None) -> str:
    """0 to 1 as whole percent; a dash for None. Only everything is 100 %, only nothing is 0 %."""
    if share is None:
        return "–"
    whole = round(share * 100)
    if share < 1:
        whole = min(whole, 99)
    if share > 0:
        whole = max(whole, 1)
    return f"{whole} %"


def minutes(value: float) -> str:
    """Whole minutes; `< 1` for less than one."""
    return "< 1" if 0 < value < 1 else f"{value:.0f}"


def review_sentence(review: ReviewLine, time_zone: str) -> str:
    at, name = clock(review.at, time_zone), review.student_name or "a student"
    match review.kind:
        case "unknown_face":
            return f"At {at} there was a face that matches nobody on the roster."
        case "low_similarity":
            return f"At {at} there was a face most like {name}, but not alike enough to say so."
        case "two_tiles":
            return f"At {at} {name} was seen in two tiles at once."
    about = f" about {review.student_name}" if review.student_name else ""
    return f"{_plain(review.kind)}{about} at {at}."


def _plain(word: str) -> str:
    return word.replace("_", " ").capitalize()


FILTERS: dict[str, Callable[..., Any]] = {
    "minutes": minutes,
    "percent": percent,
    "review_sentence": review_sentence,
    "source": source,
    "status": status,
    "trigger": trigger,
}
