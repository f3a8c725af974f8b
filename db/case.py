"""What is on record about a review: all that it takes to settle it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, aliased

from db.queue import QueueLine
from db.schema import AttendanceRow, EvidenceRow, LookRow, NamingRow, PhotoRow, SightingRow, Student

__all__ = ["Answer", "Box", "Case", "Crop", "Scene", "Seen", "Suspect", "case_of"]

Box = tuple[int, int, int, int]
"""xyxy, in pixels of the frame."""

MOST = 200
"""Conclusions that are read of one review, the last ones."""

PHOTOS = 2


@dataclass(frozen=True, slots=True)
class Suspect:
    """A student whom the review may be about, and what the ledger says of them now; `status` None: they have no entry."""

    student_no: str
    name: str
    status: str | None
    photo_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the machine concluded of a face. See `NamingRow` for the fields; `name` and `runner_up`: of the students."""

    at: datetime
    track: str
    verdict: str
    name: str | None
    similarity_pct: float | None
    runner_up: str | None
    runner_up_pct: float | None
    threshold_pct: float
    margin_pct: float | None
    looks: int
    engine: str
    model: str


@dataclass(frozen=True, slots=True)
class Seen:
    """At how many looks a track was seen, the first and the last of them."""

    track: str
    looks: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Scene:
    """The look at which the doubt arose: its balance, and where the heads were, by track."""

    headcount: int
    identified: int
    unknown: int
    causes: Mapping[str, int]
    boxes: Mapping[str, Box] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Crop:
    id: int
    track: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """`looks`: of the whole session. `answers` and `crops`: in order of time. `scene`: None where its look is not stored."""

    track: str
    suspects: tuple[Suspect, ...]
    answers: tuple[Answer, ...]
    seen: tuple[Seen, ...]
    scene: Scene | None
    looks: int
    crops: tuple[Crop, ...]

    @property
    def last(self) -> Answer | None:
        """The conclusion that knows most looks at the face; None where it was never asked about."""
        return next((one for one in reversed(self.answers) if one.track == self.track), None)


def case_of(session: Session, line: QueueLine) -> Case:
    """Takes three statements, however long the session was."""
    tracks = [line.track, *([line.beside] if line.beside is not None else [])]
    looks, seen, scene, crops = _sightings(session, line, tracks)
    return Case(
        track=line.track,
        suspects=_suspects(session, line),
        answers=_answers(session, line, tracks),
        seen=seen,
        scene=scene,
        looks=looks,
        crops=crops,
    )


def _suspects(session: Session, line: QueueLine) -> tuple[Suspect, ...]:
    query = (
        select(Student.id, Student.student_no, Student.name, AttendanceRow.status, PhotoRow.id)
        .outerjoin(
            AttendanceRow,
            and_(AttendanceRow.student_id == Student.id, AttendanceRow.session_id == line.session_id),
        )
        .outerjoin(PhotoRow, PhotoRow.student_id == Student.id)
        .where(Student.id.in_(line.student_ids))
        .order_by(PhotoRow.id.desc())
    )
    found: Sequence[Any] = session.execute(query).all() if line.student_ids else []
    suspects = []
    for student_id in line.student_ids:
        own = [row for row in found if row[0] == student_id]
        if own:
            _, number, name, status, _ = own[0]
            photos = tuple(row[4] for row in own[:PHOTOS] if row[4] is not None)
            suspects.append(Suspect(number, name, status, photos))
    return tuple(suspects)


def _answers(session: Session, line: QueueLine, tracks: Sequence[str]) -> tuple[Answer, ...]:
    row, likely, second = NamingRow, aliased(Student), aliased(Student)
    query = (
        select(
            *(LookRow.taken_at, row.track, row.verdict, likely.name, row.similarity_pct, second.name),
            *(row.runner_up_pct, row.threshold_pct, row.margin_pct, row.looks, row.engine, row.model),
        )
        .join(LookRow, LookRow.id == row.look_id)
        .outerjoin(likely, likely.id == row.student_id)
        .outerjoin(second, second.id == row.runner_up_id)
        .where(LookRow.session_id == line.session_id, row.track.in_(tracks))
        .order_by(LookRow.taken_at.desc(), row.id.desc())
        .limit(MOST)
    )
    found: Sequence[Any] = session.execute(query).all()
    return tuple(Answer(*one) for one in reversed(found))


def _sightings(
    session: Session, line: QueueLine, tracks: Sequence[str]
) -> tuple[int, tuple[Seen, ...], Scene | None, tuple[Crop, ...]]:
    """How many looks there were, at which the tracks were seen, what was seen when the doubt arose, and the crops."""
    look, row, kept = LookRow, SightingRow, EvidenceRow
    query = (
        select(
            *(look.id, look.taken_at, look.headcount, look.identified, look.unknown, look.causes),
            *(kept.id, row.track, row.x1, row.y1, row.x2, row.y2),
        )
        .outerjoin(
            row, and_(row.look_id == look.id, or_(row.track.in_(tracks), look.taken_at == line.review.at))
        )
        .outerjoin(kept, and_(kept.look_id == row.look_id, kept.track == row.track, kept.track.in_(tracks)))
        .where(look.session_id == line.session_id)
        .order_by(look.taken_at, look.id)
    )
    looks, scene, crops = set(), None, []
    boxes: dict[str, Box] = {}
    times: dict[str, list[datetime]] = {track: [] for track in tracks}
    for key, at, headcount, identified, unknown, causes, crop, track, *box in session.execute(query):
        looks.add(key)
        if track in times:
            times[track].append(at)
            if crop is not None:
                crops.append(Crop(crop, track, at))
        if at == line.review.at:
            scene = Scene(headcount, identified, unknown, json.loads(causes or "{}"), boxes)
            if track is not None:
                boxes[track] = (box[0], box[1], box[2], box[3])
    seen = tuple(Seen(track, len(at), at[0], at[-1]) for track, at in times.items() if at)
    return len(looks), seen, scene, tuple(crops)
