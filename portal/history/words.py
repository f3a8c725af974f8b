"""Rows of the audit chain in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db.proof.history import HistoryPage, Names
from db.proof.trail import Noted
from portal.moments import DASH, clock, day
from portal.wording import STATUSES, status

__all__ = ["About", "HistoryLine", "action_words", "history_lines"]

UNREAD = frozenset({"digest", "uid"})
"""For machines: what a record is checked by."""

STUDENTS = frozenset({"student", "about", "or"})
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d|Z)")
LONGEST = 200
"""Characters of a value that are shown."""

NOUNS = {
    "biometrics": "Biometric data",
    "chain": "Audit chain",
    "database": "Database",
    "dispute": "Student’s objection",
    "erasure": "Erasure request",
    "face": "Face of a student",
    "instructor": "Instructor of a course",
    "judgement": "Verdict on a face",
    "rules": "Rules of a session",
    "slot": "Slot of the timetable",
    "user": "Account",
}
LABELS = {
    "about": "Student",
    "joined_at": "Joined",
    "last_seen_at": "Last seen",
    "late_after_s": "Late after seconds",
    "left_early_s": "Left early by seconds",
    "or": "Or student",
    "min_presence": "Least presence",
    "student_no": "Student number",
}


@dataclass(frozen=True, slots=True)
class About:
    """One thing that a row is about. `kind`: as the chain calls it; `key`: what an address of it needs, None: no link.

    `removed`: a student of whom only the entries are left, without a page of their own.
    """

    kind: str
    words: str
    key: str | None = None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """A row for people. `time_zone`: the course's; UTC where it is about none. `changes`: before and after, in words."""

    seq: int
    at: datetime
    time_zone: str
    actor: str
    what: str
    about: tuple[About, ...]
    changes: tuple[str, ...]
    reason: str
    hash: str


def history_lines(page: HistoryPage) -> list[HistoryLine]:
    return [_line(row, page.names) for row in page.rows]


def action_words(action: str) -> str:
    """e.g. `Review settled`."""
    noun, _, participle = action.partition(".")
    words = NOUNS.get(noun) or noun.replace("_", " ").capitalize()
    return f"{words} {participle.replace('_', ' ')}".strip()


def _line(row: Noted, names: Names) -> HistoryLine:
    parts = [tuple(part.partition(":")[::2]) for part in row.subject.split("/")]
    time_zone = next((zone for kind, key in parts if (zone := _zone(kind, key, names))), "UTC")
    return HistoryLine(
        row.seq,
        row.at,
        time_zone,
        row.actor,
        action_words(row.action),
        tuple(_about(kind, key, names) for kind, key in parts),
        _changes(row, names, time_zone),
        row.reason,
        row.hash,
    )


def _zone(kind: str, key: str, names: Names) -> str | None:
    number = int(key) if key.isdecimal() else 0
    if kind == "session" and number in names.sessions:
        return names.sessions[number].time_zone
    if kind == "course" and number in names.courses:
        return names.courses[number][1]
    return None


def _about(kind: str, key: str, names: Names) -> About:
    number = int(key) if key.isdecimal() else 0
    match kind:
        case "student" if number in names.students:
            person = names.students[number]
            return About(kind, f"{person.name} ({person.student_no})", person.student_no, person.removed)
        case "session" if number in names.sessions:
            meeting = names.sessions[number]
            return About(kind, f"{meeting.title}, {meeting.course}", key)
        case "course" if number in names.courses:
            return About(kind, names.courses[number][0], names.courses[number][0])
        case "user" if number in names.users:
            return About(kind, names.users[number])
        case "review":
            return About(kind, f"Review {key}", key)
        case "look" | "face":
            return About(kind, f"{kind.capitalize()} {key[:8]}")
    return About(kind, f"{kind.replace('_', ' ').capitalize()} {key}".strip())


def _changes(row: Noted, names: Names, time_zone: str) -> tuple[str, ...]:
    before, after = row.before or {}, row.after or {}
    found = []
    for key in sorted((before.keys() | after.keys()) - UNREAD):
        label = _label(key, names)
        old, new = (_value(key, state, names, time_zone) for state in (before, after))
        if key not in before:
            if new != DASH:
                found.append(f"{label}: {new}")
        elif key not in after:
            found.append(f"{label}: {old}" if row.after is None else f"{label}: {old} → {DASH}")
        elif old != new:
            found.append(f"{label}: {old} → {new}")
    return tuple(found)


def _label(key: str, names: Names) -> str:
    if key.isdecimal():  # an entry, by whose it is
        person = names.students.get(int(key))
        return person.name if person else f"Student {key}"
    return LABELS.get(key) or key.replace("_", " ").capitalize()


def _value(key: str, state: Mapping[str, Any], names: Names, time_zone: str) -> str:
    value = state.get(key)
    match value:
        case None | "":
            return DASH
        case bool():
            return "yes" if value else "no"
        case int() if key in STUDENTS:
            person = names.students.get(value)
            return person.name if person else f"student {value}"
        case int() if key == "course" and value in names.courses:
            return names.courses[value][0]
        case float():
            return f"{value:g}"
        case str() if value in STATUSES:
            return status(value)
        case str() if MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            return f"{day(moment, time_zone)}, {clock(moment, time_zone)}"
        case str() if key in {"kind", "state", "verdict"}:
            return value.replace("_", " ")
        case list():
            return ", ".join(map(str, value))[:LONGEST]
    return str(value)[:LONGEST]
