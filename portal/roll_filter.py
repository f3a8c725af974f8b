"""Which rows of the attendance table are shown."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from db.report import StudentLine

__all__ = ["RollFilter", "plain"]


@dataclass(frozen=True, slots=True)
class RollFilter:
    """`status`: empty for all. `words`: of which each must be in the name or the number."""

    status: str = ""
    words: str = ""

    @classmethod
    def asked(cls, values: Mapping[str, str]) -> "RollFilter":
        return cls(values.get("status", "").strip()[:16], " ".join(values.get("q", "").split())[:200])

    @property
    def is_on(self) -> bool:
        return bool(self.status or self.words)

    def shows(self, line: StudentLine) -> bool:
        if self.status and line.status != self.status:
            return False
        if not self.words:
            return True
        text = plain(f"{line.name} {line.student_no}")
        return all(word in text for word in plain(self.words).split())


def plain(text: str) -> str:
    """Lower case and without accents, as session.js does it too."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(one for one in letters if not unicodedata.combining(one)).lower()
