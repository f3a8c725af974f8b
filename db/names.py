"""The order of people's names, the same on every database."""

import unicodedata

__all__ = ["name_order"]


def name_order(name: str) -> tuple[str, str]:
    """A key to sort names by: without case and accents, so that Ä stands with A; then as written.

    Databases differ in this, and a list that is read and one that is exported must not.
    """
    plain = unicodedata.normalize("NFKD", name)
    letters = "".join(character for character in plain if not unicodedata.combining(character))
    return letters.casefold(), name
