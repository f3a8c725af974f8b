"""The crops that were taken for one student, as that student may see them: theirs, and nobody else's face."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from db.judgements import rulings_by_session
from db.schema import AttendanceRow, EvidenceRow, LookRow, NamingRow
from db.tracks import IS_STUDENT, NAMED, Ruling, Tracks

__all__ = ["OwnCrop", "is_own_crop", "own_crops"]


@dataclass(frozen=True, slots=True)
class OwnCrop:
    """A crop that was named as the student. `by_staff`: staff said so; scores are None where the machine did not."""

    id: int
    session_id: int
    taken_at: datetime
    by_staff: bool
    similarity_pct: float | None
    threshold_pct: float | None
    engine: str | None
    model: str | None
    bytes: int
    keep_until: datetime


def own_crops(session: Session, student_id: int, session_id: int | None = None) -> list[OwnCrop]:
    """The crops named as the student by machine or staff, in order of time; of one session, or of all.

    What staff said of a track outranks the machine: a crop that they gave to somebody else, or to nobody, is not here.
    """
    attended = select(AttendanceRow.session_id).where(AttendanceRow.student_id == student_id)
    ruled = {
        (number, track): own
        for number, rulings in rulings_by_session(
            session, attended if session_id is None else [session_id]
        ).items()
        for track, own in _ruled(rulings, student_id).items()
    }
    own_tracks = {track for track, own in ruled.items() if own}
    row, naming = EvidenceRow, NamingRow
    named = and_(naming.verdict == NAMED, naming.student_id == student_id)
    query = (
        select(row, LookRow.taken_at, naming, named.label("named"))
        .join(LookRow, LookRow.id == row.look_id)
        .outerjoin(naming, and_(naming.look_id == row.look_id, naming.track == row.track))
    )
    # Of all sessions, one after the other: together they would be looked for among all crops there are.
    wanted: list[ColumnElement[bool]] = [named, *([_on(own_tracks)] if own_tracks else [])]
    if session_id is not None:
        wanted = [and_(row.session_id == session_id, or_(*wanted))]
    found: dict[int, OwnCrop] = {}
    for which in wanted:
        for crop, taken_at, said, is_named in session.execute(query.where(which)):
            by_staff = ruled.get((crop.session_id, crop.track))
            if is_named if by_staff is None else by_staff:
                found[crop.id] = _own(crop, taken_at, said if is_named else None, bool(by_staff))
    return sorted(found.values(), key=lambda one: (one.taken_at, one.id))


def is_own_crop(session: Session, student_id: int, evidence_id: int) -> bool:
    """Whether there is such a crop and it is the student's."""
    where = session.scalar(select(EvidenceRow.session_id).where(EvidenceRow.id == evidence_id))
    return where is not None and any(one.id == evidence_id for one in own_crops(session, student_id, where))


def _own(crop: EvidenceRow, taken_at: datetime, naming: NamingRow | None, by_staff: bool) -> OwnCrop:
    return OwnCrop(
        id=crop.id,
        session_id=crop.session_id,
        taken_at=taken_at,
        by_staff=by_staff,
        similarity_pct=naming.similarity_pct if naming else None,
        threshold_pct=naming.threshold_pct if naming else None,
        engine=naming.engine if naming else None,
        model=naming.model if naming else None,
        bytes=crop.bytes,
        keep_until=crop.keep_until,
    )


def _on(tracks: Collection[tuple[int, str]]) -> ColumnElement[bool]:
    sessions, names = {one for one, _ in tracks}, {name for _, name in tracks}
    return and_(EvidenceRow.session_id.in_(sessions), EvidenceRow.track.in_(names))


def _ruled(rulings: Collection[Ruling], student_id: int) -> dict[str, bool]:
    """Of the tracks that staff said something about: whether each is this student."""
    tracks, found = Tracks((), rulings, ()), {}
    for subject in {ruling.subject for ruling in rulings}:
        last, excluded = tracks.ruling(subject)
        if last is not None:
            found[subject] = last.verdict == IS_STUDENT and last.student_id == student_id
        elif student_id in excluded:
            found[subject] = False
    return found
