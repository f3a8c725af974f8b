"""Looks as they arrive: stored once, whatever is sent twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.rules import Look, Naming
from db.schema import LookRow, NamingRow, SightingRow
from db.sessions import lock_session

__all__ = [
    "NewLook",
    "NewNaming",
    "NewSighting",
    "find_look",
    "looks_of",
    "namings_of",
    "record_look",
    "tracks_before",
]


@dataclass(frozen=True, slots=True)
class NewSighting:
    """A head seen at the look; the box is pixels of the frame. `cue` as in `SightingRow`."""

    track: str
    box_xyxy: tuple[int, int, int, int]
    cue: str | None = None


@dataclass(frozen=True, slots=True)
class NewNaming:
    """A conclusion about a track, with the scores behind it. See `NamingRow` for the fields."""

    track: str
    verdict: str
    student_id: int | None
    face_id: str | None
    similarity_pct: float | None
    runner_up_id: int | None
    runner_up_pct: float | None
    threshold_pct: float
    looks: int
    engine: str
    model: str
    margin_pct: float | None = None


@dataclass(frozen=True, slots=True)
class NewLook:
    """An observation after recognition, ready to be stored."""

    session_id: int
    uid: str
    began_at: datetime
    taken_at: datetime
    trigger: str
    headcount: int
    searches: int
    paid: int
    sightings: tuple[NewSighting, ...]
    namings: tuple[NewNaming, ...]


def find_look(session: Session, session_id: int, uid: str) -> LookRow | None:
    return session.scalar(select(LookRow).where(LookRow.session_id == session_id, LookRow.uid == uid))


def record_look(session: Session, new: NewLook) -> bool:
    """Store the look. Returns False when it was stored before; then nothing is changed.

    Locks the session first: two agents that first wrote and then folded would wait for each other for ever.
    """
    lock_session(session, new.session_id)
    if find_look(session, new.session_id, new.uid) is not None:
        return False
    row = LookRow(
        session_id=new.session_id,
        uid=new.uid,
        began_at=new.began_at,
        taken_at=new.taken_at,
        trigger=new.trigger,
        headcount=new.headcount,
        identified=0,
        unknown=new.headcount,
        searches=new.searches,
        paid=new.paid,
    )
    session.add(row)
    session.flush()
    for seen in new.sightings:
        x1, y1, x2, y2 = seen.box_xyxy
        session.add(SightingRow(look_id=row.id, track=seen.track, x1=x1, y1=y1, x2=x2, y2=y2, cue=seen.cue))
    for naming in new.namings:
        session.add(
            NamingRow(
                look_id=row.id,
                track=naming.track,
                verdict=naming.verdict,
                student_id=naming.student_id,
                face_id=naming.face_id,
                similarity_pct=naming.similarity_pct,
                runner_up_id=naming.runner_up_id,
                runner_up_pct=naming.runner_up_pct,
                threshold_pct=naming.threshold_pct,
                looks=naming.looks,
                engine=naming.engine,
                model=naming.model,
                margin_pct=naming.margin_pct,
            )
        )
    session.flush()
    return True


def tracks_before(session: Session, session_id: int, taken_at: datetime) -> frozenset[str]:
    """The tracks seen at the session's last look before this moment."""
    last = (
        select(LookRow.id)
        .where(LookRow.session_id == session_id, LookRow.taken_at < taken_at)
        .order_by(LookRow.taken_at.desc())
        .limit(1)
    )
    look_id = session.scalar(last)
    return frozenset(session.scalars(select(SightingRow.track).where(SightingRow.look_id == look_id)))


def looks_of(session: Session, rows: Iterable[LookRow]) -> list[Look]:
    """The looks of one session as the rules want them."""
    rows = list(rows)
    tracks: dict[int, set[str]] = {row.id: set() for row in rows}
    cues: dict[int, dict[str, str]] = {row.id: {} for row in rows}
    if rows:
        query = select(SightingRow.look_id, SightingRow.track, SightingRow.cue).join(LookRow)
        for look_id, track, cue in session.execute(query.where(LookRow.session_id == rows[0].session_id)):
            tracks.setdefault(look_id, set()).add(track)
            if cue is not None:
                cues.setdefault(look_id, {})[track] = cue
    return [
        Look(row.uid, row.began_at, row.taken_at, row.headcount, frozenset(tracks[row.id]), cues[row.id])
        for row in rows
    ]


def namings_of(session: Session, session_id: int) -> list[Naming]:
    """All conclusions of one session as the rules want them."""
    query = select(NamingRow, LookRow.taken_at).join(LookRow).where(LookRow.session_id == session_id)
    return [
        Naming(
            track=row.track,
            at=taken_at,
            verdict=row.verdict,
            student_id=row.student_id,
            similarity_pct=row.similarity_pct,
            runner_up_id=row.runner_up_id,
            runner_up_pct=row.runner_up_pct,
            threshold_pct=row.threshold_pct,
            margin_pct=row.margin_pct,
        )
        for row, taken_at in session.execute(query)
    ]
