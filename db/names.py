"""Names and e-mail addresses of people, and titles: which can be, and the order of names, the same on every database."""

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["email_faults", "name_faults", "name_order", "title_fault"]

LONGEST_NAME, LONGEST_EMAIL, LONGEST_TITLE = 200, 254, 200
EMAIL = re.compile(r"[^\s@]+@[^\s@.]+(\.[^\s@.]+)*")
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows; names of scripts that run to the left do without."""


def name_faults(name: str) -> Iterator[str]:
    """What is wrong with a person's full name, as clauses that go on after it, with the remedy."""
    if len(name) > LONGEST_NAME:
        yield f"has {len(name)} characters; shorten it to {LONGEST_NAME}"
    if _holds_control(name) or not TURNING.isdisjoint(name):
        yield "holds a control character; remove it"
    elif not any(unicodedata.category(character)[0] in "LN" for character in name):
        yield "has no letter that can be seen; write the full name"


def email_faults(email: str) -> Iterator[str]:
    """What is wrong with an e-mail address, as clauses that go on after it, with the remedy. Empty: not known."""
    if len(email) > LONGEST_EMAIL:
        yield f"has {len(email)} characters; shorten it to {LONGEST_EMAIL}"
    if _holds_control(email) or not TURNING.isdisjoint(email):
        yield "holds a control character; remove it"
    elif email and not EMAIL.fullmatch(email):
        yield "is no e-mail address; write one, or leave it empty"


def title_fault(title: str) -> str:
    """What is wrong with the title of a course or session, with the remedy; empty where it is fine."""
    if len(title) > LONGEST_TITLE:
        return f"title {title[:20]!r}… has {len(title)} characters; at most {LONGEST_TITLE} fit"
    if _holds_control(title):
        return f"title {title!r} holds a control character; remove it"
    return ""


def name_order(name: str) -> tuple[str, str]:
    """A key to sort names by: without case and accents, so that Ä stands with A; then as written.

    Databases differ in this, and a list that is read and one that is exported must not.
    """
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(character for character in plain if not unicodedata.combining(character))
    return letters.casefold(), name


def _holds_control(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)
