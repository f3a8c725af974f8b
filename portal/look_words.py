"""What was concluded of a face, in words."""

from collections.abc import Callable
from typing import Any

from db.clues import Clue
from db.look_sheet import Conclusion
from portal.grid_drawing import STATES

__all__ = ["FILTERS", "pct", "verdict_words"]

CUES = {
    "still_picture": "The tile had not moved for minutes",
    "loop": "The tile repeated what it had shown before",
}


def pct(value: float | None) -> str:
    """0 to 100 with one decimal, e.g. `93.4 %`; a dash for None."""
    return "–" if value is None else f"{value:.1f} %"


def head_state(word: str) -> str:
    return STATES[word][0] if word in STATES else word.replace("_", " ").capitalize()


def cue_words(word: str) -> str:
    return CUES.get(word, word.replace("_", " ").capitalize())


def verdict_words(found: Conclusion | Clue, name: str) -> str:
    """e.g. `named Ada Adams`."""
    match found.verdict:
        case "named":
            return f"named {name}" if name else "named"
        case "doubtful":
            return f"not sure enough that it is {name}" if name else "not sure enough"
        case "guest":
            return "a guest whom staff named before"
        case "pending":
            return "asked for another look"
        case "unknown":
            return "nobody on the roster"
    return found.verdict.replace("_", " ")


FILTERS: dict[str, Callable[..., Any]] = {
    "cue_words": cue_words,
    "head_state": head_state,
    "pct": pct,
    "verdict_words": verdict_words,
}
