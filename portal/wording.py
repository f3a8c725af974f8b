"""What the ledger's words mean to people."""

import math
import re
from collections.abc import Callable
from typing import Any

from db.report import ReviewLine
from portal.moments import clock, day

__all__ = [
    "FILTERS",
    "STATUSES",
    "attended_percent",
    "minutes",
    "percent",
    "review_sentence",
    "sentence",
    "source",
    "status",
    "trigger",
]

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
    "picture": "A picture was handed in",
}

SOURCES = {"system": "Gridroll", "staff": "Staff"}


REVIEW_STATES = {
    "open": "Open",
    "confirmed": "Confirmed",
    "reassigned": "Reassigned",
    "not_this_person": "Not this person",
    "guest": "Guest",
    "dismissed": "Dismissed",
    "accepted": "Accepted",
    "not_accepted": "Not accepted",
}

ADVICE = {
    "unknown_face": "Somebody of the roster, a guest, or nobody who should be there?",
    "low_similarity": "Nobody is absent for it. A better photograph of the student helps.",
    "small_margin": "Neither is absent for it. Which of the two is it?",
    "two_tiles": "They count once. Two devices of theirs, or somebody else in one of the tiles?",
    "still_picture": "They count as present for now. A frozen connection looks the same: ask them.",
    "loop": "They count as present for now. Ask them.",
    "dispute": "Read it, correct the entry if they are right, then answer: they read what you write.",
    "headcount": "A poster, a screen, or somebody the engine was never asked about?",
}
"""What staff may think of for each kind of review."""

PLAIN_WORD = re.compile(r"[^\W\d_]+(?:[-’'][^\W\d_]+)*")
"""Letters, with hyphens and apostrophes between them."""


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


def attended_percent(share: float | None) -> str:
    """The same, rounded down: a share that is held against a limit must not seem to have reached it."""
    if share is None:
        return percent(None)
    # 0.29 * 100 is a little less than 29 in binary.
    whole = math.floor(share * 100 + 1e-6)
    return percent(whole / 100 if whole else share)


def alike(similarity_pct: float | None) -> str:
    """A similarity in percent with one digit; a dash for None."""
    return "–" if similarity_pct is None else f"{similarity_pct:.1f} %"


def minutes(value: float) -> str:
    """Whole minutes; `< 1` for less than one."""
    return "< 1" if 0 < value < 1 else f"{value:.0f}"


def review_state(review: ReviewLine) -> str:
    return REVIEW_STATES.get(review.state) or _plain(review.state)


def review_note(review: ReviewLine) -> str:
    """What to think of about an open review, whom staff named in a settled one; empty where there is nothing to say."""
    if review.state == "open":
        return ADVICE.get(review.kind, "")
    return f"Named as {review.guest}." if review.guest else ""


def review_sentence(review: ReviewLine, time_zone: str) -> str:
    at, name = clock(review.at, time_zone), review.student_name or "a student"
    tile = f"{review.student_name}’s tile" if review.student_name else "the tile of an unknown face"
    match review.kind:
        case "unknown_face":
            return f"At {at} there was a face that matches nobody on the roster."
        case "low_similarity":
            return f"At {at} there was a face most like {name}, but not alike enough to say so."
        case "two_tiles":
            return f"At {at} {name} was seen in two tiles at once."
        case "small_margin":
            other = review.rival_name or "another student"
            return f"At {at} there was a face about as much like {name} as like {other}."
        case "still_picture":
            return f"At {at} {tile} had not moved for minutes, as a still picture would."
        case "loop":
            return f"At {at} {tile} showed again what it had shown before, as a film in a loop would."
        case "dispute":
            return f"On {day(review.at, time_zone)} at {at} {name} said that this entry is wrong."
        case "headcount":
            return f"From {at} on, heads were counted that no face explains."
    about = f" about {review.student_name}" if review.student_name else ""
    return f"{_plain(review.kind)}{about} at {at}."


def sentence(text: str) -> str:
    """An error's line as a sentence: a full stop at the end, a capital at the beginning.

    A first word that is no word, such as a file's name or an address, stays as it was given.
    """
    first = text.partition(" ")[0].rstrip(",.;:")
    begin = text[:1].upper() if PLAIN_WORD.fullmatch(first) else text[:1]
    return f"{begin}{text[1:].rstrip('.')}."


def _plain(word: str) -> str:
    return word.replace("_", " ").capitalize()


FILTERS: dict[str, Callable[..., Any]] = {
    "alike": alike,
    "attended_percent": attended_percent,
    "minutes": minutes,
    "percent": percent,
    "review_note": review_note,
    "review_sentence": review_sentence,
    "review_state": review_state,
    "sentence": sentence,
    "source": source,
    "status": status,
    "trigger": trigger,
}
