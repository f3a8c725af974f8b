"""Reviews in words: what staff may answer to one, and what they answered."""

from dataclasses import dataclass

from db.report import ReviewLine

__all__ = ["FILTERS", "Choice", "choices", "needs_words", "outcome", "takes_a_face"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A button. `answer` is what it sends: `explained`, `dismiss`, `accept`, `decline`, or `is:` or `not:` and a student's
    number."""

    answer: str
    label: str


def choices(review: ReviewLine) -> list[Choice]:
    """The answers that take one click, the likeliest first."""
    number, name = review.student_no, review.student_name
    dismiss = Choice("dismiss", "Dismiss")
    if review.kind == "dispute":
        return [Choice("accept", "They are right"), Choice("decline", "The entry stands")]
    if review.kind == "headcount":
        return [Choice("explained", "They are explained"), dismiss]
    if number is None:
        nobody = "Nobody was there" if review.kind in CUES else "Nobody of the roster"
        return [Choice("not:", nobody), dismiss]
    if review.kind == "small_margin" and review.rival_no is not None:
        either = [Choice(f"is:{review.rival_no}", f"It is {review.rival_name}")]
        return [
            Choice(f"is:{number}", f"It is {name}"),
            *either,
            Choice(f"not:{number}", f"Not {name}"),
            dismiss,
        ]
    yes, no = ANSWERS.get(review.kind, ("It is {}", "Not {}"))
    return [
        Choice(f"is:{number}", yes.format(name)),
        Choice(f"not:{number}", no.format(name)),
        dismiss,
    ]


CUES = frozenset({"still_picture", "loop"})

ANSWERS = {
    "two_tiles": ("Both are {}", "One is not {}"),
    "still_picture": ("{} was there", "{} was not there"),
    "loop": ("{} was there", "{} was not there"),
}


def takes_a_face(review: ReviewLine) -> bool:
    """Whether it is about a face, which may be another student's or a guest's."""
    return review.kind not in {"headcount", "dispute"}


def needs_words(review: ReviewLine) -> bool:
    """Whether it takes a text to answer: a dispute's is what the student reads."""
    return review.kind == "dispute"


def outcome(review: ReviewLine) -> str:
    """What staff answered, as a sentence; empty for an open review."""
    name = review.settled_name or review.student_name
    match review.state:
        case "confirmed" if review.kind == "headcount":
            return "The heads are explained."
        case "confirmed" | "reassigned":
            return f"It is {name}." if name else "Confirmed."
        case "not_this_person":
            return f"It is not {review.student_name}." if review.student_name else "Nobody of the roster."
        case "guest":
            return f"A guest, {review.guest}." if review.guest else "A guest."
        case "accepted":
            return "The student is right."
        case "not_accepted":
            return "The entry stands."
        case "dismissed":
            return "Dismissed: what Gridroll said stands."
    return ""


FILTERS = {"choices": choices, "needs_words": needs_words, "outcome": outcome, "takes_a_face": takes_a_face}
