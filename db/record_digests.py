"""One digest for each record: the same before it is stored and when it is read back, on every engine.

A change that is noted in the audit chain carries the record's digest, so that `gridroll audit verify` finds a record that
was altered, removed or added behind the chain's back. Left out is what may be erased (a guest's name, a face's template)
or is folded from the rest.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Double, Integer

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
    NamingRow,
    SessionRow,
    SightingRow,
    SlotRow,
    Student,
    TokenRow,
    User,
    WebhookRow,
)
from db.types import UTCDateTime

if TYPE_CHECKING:
    from db.looks import NewLook

__all__ = [
    "FIELDS",
    "LOOK_FIELDS",
    "NAMING_FIELDS",
    "SIGHTING_FIELDS",
    "look_digest",
    "record_digest",
    "stored_look_digest",
]

LOOK_FIELDS = ("session_id", "uid", "began_at", "taken_at", "trigger", "headcount", "searches", "paid")
SIGHTING_FIELDS = ("track", "x1", "y1", "x2", "y2", "cue")
NAMING_FIELDS = (
    *("track", "verdict", "student_id", "face_id", "similarity_pct", "runner_up_id", "runner_up_pct"),
    *("threshold_pct", "margin_pct", "looks", "engine", "model"),
)
FIELDS: Mapping[type[Base], tuple[str, ...]] = {
    Consent: ("id", "student_id", "note", "given_at", "withdrawn_at"),
    Course: (
        *("id", "code", "time_zone", "late_after_s", "left_early_s", "min_presence", "title"),
        "attendance_limit",
    ),
    CourseStaff: ("course_id", "user_id"),
    DisputeRow: ("id", "session_id", "student_id", "text", "made_at"),
    EditRow: (
        *("uid", "session_id", "student_id", "status", "joined_at", "last_seen_at", "minutes", "remark"),
        *("reason", "made_by", "made_at"),
    ),
    Enrolment: ("course_id", "student_id", "enrolled_at"),
    ErasureRow: ("id", "student_id", "text", "asked_at", "outcome", "answer", "settled_by", "settled_at"),
    ExcuseRow: (
        *("id", "student_id", "course_id", "from_at", "until_at", "reason", "made_by", "made_at"),
        "withdrawn_at",
    ),
    FaceRow: ("face_id", "student_id", "engine", "model", "photo_sha256", "indexed_at"),
    JudgementRow: (
        *("id", "session_id", "subject", "kind", "verdict", "student_id", "since", "made_by", "made_at"),
        "reason",
    ),
    SessionRow: (
        *("id", "course_id", "title", "starts_at", "ends_at", "late_after_s", "left_early_s", "min_presence"),
        *("match_threshold_pct", "match_margin_pct"),
    ),
    SlotRow: ("id", "course_id", "weekday", "begins", "minutes", "from_on", "until_on", "title"),
    Student: ("id", "student_no", "name", "email", "removed_at"),
    TokenRow: (
        *("id", "name", "token_hash", "scopes", "user_id", "course_id", "made_by", "made_at", "expires_at"),
        "revoked_at",
    ),
    User: (
        *("id", "email", "password_hash", "role", "student_id", "active", "created_at", "name"),
        "totp_secret",
    ),
    WebhookRow: ("id", "url", "secret", "events", "user_id", "course_id", "made_at", "ended_at"),
}
"""What a record's digest is made of. A field that is None is left out: a column added later changes no digest."""


def record_digest(row: Base) -> str:
    """The digest of a row of one of the tables of `FIELDS`, as 64 hex digits. The row has its keys: flush it first."""
    values = {field: getattr(row, field) for field in FIELDS[type(row)]}
    plain = _PLAIN[type(row)]
    return _sha256({field: plain[field](value) for field, value in values.items() if value is not None})


def look_digest(look: "NewLook") -> str:
    """The digest of a look with its sightings and namings that is about to be stored."""
    return _look_digest(
        _LOOK(look),
        ((seen.track, *seen.box_xyxy, seen.cue) for seen in look.sightings),
        (_NAMING(naming) for naming in look.namings),
    )


def stored_look_digest(
    look: Sequence[Any], sightings: Iterable[Sequence[Any]], namings: Iterable[Sequence[Any]]
) -> str:
    """`look_digest` of rows read back, whose columns are those of the three tuples of fields, in that order."""
    return _look_digest(look, sightings, namings)


def _look_digest(
    look: Sequence[Any], sightings: Iterable[Sequence[Any]], namings: Iterable[Sequence[Any]]
) -> str:
    # A look has hundreds of values and there are many looks: lists by place are several times quicker than by name.
    return _sha256(
        [
            _typed(look, _LOOK_PLAIN),
            sorted((_typed(seen, _SIGHTING_PLAIN) for seen in sightings), key=lambda values: values[0]),
            sorted((_typed(naming, _NAMING_PLAIN) for naming in namings), key=lambda values: values[0]),
        ]
    )


def _typed(values: Sequence[Any], plain: Sequence[Callable[[Any], Any]]) -> list[Any]:
    return [None if value is None else make(value) for value, make in zip(values, plain, strict=True)]


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _double(value: float) -> float:
    return float(value) + 0.0  # no database tells -0.0 from 0.0 reliably


def _plain_of(model: type[Base], field: str) -> Callable[[Any], Any]:
    """What a column gives back for a value that was put in: 91 comes back from a column of doubles as 91.0."""
    kind = getattr(model, field).property.columns[0].type
    if isinstance(kind, UTCDateTime):
        return _moment
    for sql, python in ((Boolean, bool), (Double, _double), (Integer, int)):
        if isinstance(kind, sql):
            return python
    return str


def _plain(model: type[Base], fields: Iterable[str]) -> list[Callable[[Any], Any]]:
    return [_plain_of(model, field) for field in fields]


_LOOK, _NAMING = attrgetter(*LOOK_FIELDS), attrgetter(*NAMING_FIELDS)
_LOOK_PLAIN = _plain(LookRow, LOOK_FIELDS)
_SIGHTING_PLAIN = _plain(SightingRow, SIGHTING_FIELDS)
_NAMING_PLAIN = _plain(NamingRow, NAMING_FIELDS)
_PLAIN = {model: dict(zip(fields, _plain(model, fields), strict=True)) for model, fields in FIELDS.items()}
