"""What the roles are called, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ROLE_WORDS", "RoleWords"]


@dataclass(frozen=True, slots=True)
class RoleWords:
    name: str
    meaning: str


ROLE_WORDS: Mapping[str, RoleWords] = {
    "admin": RoleWords("Admin", "All courses, and accounts, tokens and settings."),
    "staff": RoleWords("Staff", "All courses: verify, correct, report."),
    "instructor": RoleWords("Instructor", "The courses they teach, and no other."),
    "student": RoleWords("Student", "Their own record; the roster must know their e-mail address."),
}
