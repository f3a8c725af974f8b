"""The answers to a review as the queue offers them: with the key that gives each, and what it will do."""

from dataclasses import dataclass

from db.report import ReviewLine
from portal.review_words import CUES, choices

__all__ = ["FILTERS", "Offer", "offers", "suspects_one"]


@dataclass(frozen=True, slots=True)
class Offer:
    """`answer`, `label`: as in `Choice`. `key`: empty where all are taken. `effect`: empty where the label says it all."""

    answer: str
    label: str
    key: str
    effect: str


def offers(review: ReviewLine) -> list[Offer]:
    """What takes one click or one key, the likeliest first."""
    taken: set[str] = set()
    found = []
    for choice in choices(review):
        key = next((key for key in _keys(choice.answer) if key not in taken), "")
        taken.add(key)
        found.append(Offer(choice.answer, choice.label, key, _effect(review, choice.answer)))
    return found


def suspects_one(review: ReviewLine) -> bool:
    """Whether there is one student whom it may be, so that it can be confirmed among others."""
    named = [choice for choice in choices(review) if choice.answer.startswith("is:")]
    return review.state == "open" and len(named) == 1 and named[0] == choices(review)[0]


def _keys(answer: str) -> str:
    match answer.partition(":")[0]:
        case "not":
            return "n"
        case "dismiss":
            return "d"
        case "is":
            return "co"  # the other of two
    return "cn"


def _effect(review: ReviewLine, answer: str) -> str:
    number = answer.partition(":")[2]
    name = review.rival_name if number and number == review.rival_no else review.student_name
    match answer.partition(":"):
        case ("is", _, _):
            return f"{name} counts as seen in this tile, whatever later looks say."
        case ("not", _, "") if review.kind in CUES:
            return "This tile was nobody’s presence."
        case ("not", _, ""):
            return "The head is settled and adds to nobody’s attendance."
        case ("not", _, _) if review.kind in CUES:
            return f"This tile was no presence of {name}."
        case ("not", _, _):
            return f"This face is not taken for {name} again, here or in later sessions."
        case ("explained", _, _):
            return "The heads left over from then on are settled; nobody’s attendance changes."
        case ("dismiss", _, _):
            return "What Gridroll said stands, and the doubt keeps nobody from being absent any more."
        case ("accept", _, _):
            return f"{name} reads your answer. The entry is corrected by editing it, best before you answer."
        case ("decline", _, _):
            return f"{name} reads your answer. Nothing changes in the entry."
    return ""


VERDICTS = {
    "named": "A name",
    "doubtful": "Not sure enough",
    "unknown": "Nobody of the roster",
    "guest": "A guest",
    "pending": "Ask again",
}


def kind_word(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def verdict_word(verdict: str) -> str:
    return VERDICTS.get(verdict) or kind_word(verdict)


FILTERS = {"kind_word": kind_word, "verdict_word": verdict_word}
