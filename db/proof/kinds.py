"""The kinds of records that the audit chain vouches for: what their rows in it are called and are about.

A row of the chain that ends in `.removed` or `.erased` says that its record is gone; one whose `after` has a `digest` says
what it is like from then on; any other says nothing of the record as such. `.found` was there when the chain began.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Integer
from sqlalchemy.orm import Session

from db.audit import note
from db.record_digests import record_digest
from db.schema import (
    Base,
    Consent,
    Course,
    CourseStaff,
    DisputeRow,
    EditRow,
    Enrolment,
    ErasureRow,
    ExcuseRow,
    FaceRow,
    JudgementRow,
    LookRow,
    SessionRow,
    SlotRow,
    Student,
    TokenRow,
    User,
    WebhookRow,
)

__all__ = ["GONE", "KINDS", "Key", "Kind", "Known", "kind_of", "look_subject", "note_record"]

GONE = (".removed", ".erased")
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """One table whose rows the chain vouches for.

    `actions`: first words of what is noted of them. `subject`, `words`: templates of the fields of `key`, for the chain
    and for people. `named`: a field of the key that stands in `after` instead, where the subject is about more.
    """

    model: type[Base]
    actions: tuple[str, ...]
    subject: str
    words: str
    key: tuple[str, ...]
    named: str | None = None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        escaped = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(self.subject))
        return re.compile(escaped)

    @cached_property
    def columns(self) -> tuple[Any, ...]:
        return tuple(getattr(self.model, field) for field in self.key)

    def subject_of(self, row: Any) -> str:
        fields = re.findall(r"\{(\w+)\}", self.subject)
        return self.subject.format(**{field: getattr(row, field) for field in fields})

    def key_of(self, row: Any) -> Key:
        return tuple(getattr(row, field) for field in self.key)

    def key_in(self, subject: str, after: Mapping[str, Any] | None) -> Key | None:
        """The key of the record that a row of the chain is about; None: it is about no record of this kind."""
        if self.named is not None:
            named = (after or {}).get(self.named)
            return None if named is None else (named,)
        found = self._pattern.fullmatch(subject)
        if found is None:
            return None
        try:
            return tuple(
                int(found[field]) if isinstance(column.type, Integer) else found[field]
                for field, column in zip(self.key, self.columns, strict=True)
            )
        except ValueError:
            return None

    def says(self, key: Key) -> str:
        return self.words.format(**dict(zip(self.key, key, strict=True)))


@dataclass(frozen=True, slots=True)
class Known:
    """What the chain last says of a record. `digest`: None: it is gone."""

    seq: int
    digest: str | None


KINDS = (
    Kind(Course, ("course",), "course:{id}", "course {id}", ("id",)),
    Kind(
        *(CourseStaff, ("instructor",), "course:{course_id}/user:{user_id}"),
        *("the place of user {user_id} as instructor of course {course_id}", ("course_id", "user_id")),
    ),
    Kind(SlotRow, ("slot",), "course:{course_id}/slot:{id}", "slot {id} of a timetable", ("id",)),
    Kind(Student, ("student",), "student:{id}", "student {id}", ("id",)),
    Kind(
        *(Enrolment, ("enrolment",), "course:{course_id}/student:{student_id}"),
        *("the enrolment of student {student_id} in course {course_id}", ("course_id", "student_id")),
    ),
    Kind(User, ("user",), "user:{id}", "user {id}", ("id",)),
    Kind(Consent, ("consent",), "student:{student_id}/consent:{id}", "consent {id}", ("id",)),
    Kind(FaceRow, ("face",), "student:{student_id}/face:{face_id}", "face {face_id}", ("face_id",)),
    Kind(ExcuseRow, ("excuse",), "student:{student_id}/excuse:{id}", "excuse {id}", ("id",)),
    Kind(SessionRow, ("session", "rules"), "session:{id}", "session {id}", ("id",)),
    Kind(
        *(LookRow, ("look",), "session:{session_id}/look:{uid}", "look {uid} of session {session_id}"),
        ("session_id", "uid"),
    ),
    Kind(JudgementRow, ("judgement",), "session:{session_id}/judgement:{id}", "judgement {id}", ("id",)),
    Kind(DisputeRow, ("dispute",), "session:{session_id}/dispute:{id}", "dispute {id}", ("id",)),
    Kind(ErasureRow, ("erasure",), "student:{student_id}/erasure:{id}", "erasure request {id}", ("id",)),
    Kind(TokenRow, ("token",), "token:{id}", "token {id}", ("id",)),
    Kind(WebhookRow, ("webhook",), "webhook:{id}", "webhook {id}", ("id",)),
    Kind(EditRow, ("entry",), "session:{session_id}/student:{student_id}", "edit {uid}", ("uid",), "uid"),
)
_BY_MODEL = {kind.model: kind for kind in KINDS}
_BY_ACTION = {action: kind for kind in KINDS for action in kind.actions}


def kind_of(action: str) -> Kind | None:
    """The kind of record an action is about; None: it is about none."""
    return _BY_ACTION.get(action.partition(".")[0])


def look_subject(session_id: int, uid: str) -> str:
    return f"session:{session_id}/look:{uid}"


def note_record(
    session: Session,
    actor: str,
    action: str,
    row: Base,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Note what became of a row of one of the tables of `KINDS`, looks excepted, with its digest. Flush it first.

    `before`, `after`: states that people should read. An action of `GONE` notes that the row is no more.
    """
    kind = _BY_MODEL[type(row)]
    subject = kind.subject_of(row)
    if action.endswith(GONE):
        note(session, actor, action, subject, {**(before or {}), "digest": record_digest(row)}, None, reason)
        return
    named = {} if kind.named is None else {kind.named: getattr(row, kind.named)}
    state = {**(after or {}), **named, "digest": record_digest(row)}
    note(session, actor, action, subject, before, state, reason)
