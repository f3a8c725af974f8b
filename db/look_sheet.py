"""One look with everything behind it: where the heads were, who they are, and what was concluded from which picture."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.doubts import two_tiles
from db.errors import NotFoundError
from db.report import LookLine, SessionLine, line_of
from db.schema import Enrolment, EvidenceRow, JudgementRow, LookRow, NamingRow, SightingRow, Student
from db.sessions import find_session, thresholds_of
from db.tracks import GUEST, Naming, Occupant, Ruling, Tracks

__all__ = ["Conclusion", "Head", "LookSheet", "Person", "look_sheet"]


@dataclass(frozen=True, slots=True)
class Person:
    student_no: str
    name: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """An answer to "who is this face?". Fields as in `NamingRow`; `likely` is its student, None for nobody.

    `evidence_id`: the crop it was drawn from; None where none is kept (any more). `keep_until`: how long it is.
    """

    look_id: int
    taken_at: datetime
    verdict: str
    likely: Person | None
    similarity_pct: float | None
    runner_up: Person | None
    runner_up_pct: float | None
    threshold_pct: float
    margin_pct: float | None
    looks: int
    engine: str
    model: str
    evidence_id: int | None
    keep_until: datetime | None


@dataclass(frozen=True, slots=True)
class Head:
    """A head at a look; `number` counts from 1 in reading order, the box is pixels of the frame.

    `state`: `named`, `second` (a student's further tile), `settled` (staff know that it is nobody who counts), `doubtful`
    (not sure enough which student), `unknown`, `asking` or `not_asked`. `person`: who it is, or is likeliest to be.
    `guest`: the name staff gave. `conclusion`: the answer that decides; None where there is none.
    """

    number: int
    track: str
    box_xyxy: tuple[int, int, int, int]
    cue: str | None
    state: str
    by_staff: bool
    person: Person | None
    guest: str
    conclusion: Conclusion | None


@dataclass(frozen=True, slots=True)
class LookSheet:
    """`number` of `session.looks` in order of time; `previous_id`, `next_id`: None at either end."""

    session: SessionLine
    look: LookLine
    number: int
    previous_id: int | None
    next_id: int | None
    heads: tuple[Head, ...]


def look_sheet(session: Session, session_id: int, look_id: int) -> LookSheet:
    """Everything about one look. Raises NotFoundError where the session has no such look."""
    row = find_session(session, session_id)
    found = _look(session, session_id, look_id)
    sightings = session.execute(
        select(
            *(SightingRow.track, SightingRow.cue),
            *(SightingRow.x1, SightingRow.y1, SightingRow.x2, SightingRow.y2),
        ).where(SightingRow.look_id == look_id)
    ).all()
    names = [sighting.track for sighting in sightings]
    namings = _namings(session, session_id, names)
    judged = _judged(session, session_id, names)
    people, roster = _people(session, row.course_id, namings, judged)
    tracks = Tracks(
        [_naming(one) for one in namings], [_ruling(one) for one in judged], roster, thresholds_of(row)
    )
    occupants = {track: tracks.occupant(track, found.taken_at) for track in sorted(names)}
    holders, _, known = two_tiles(occupants, found.taken_at)
    guests = {one.subject: one.name for one in judged if one.verdict == GUEST}
    asked = defaultdict(list)
    for naming in namings:
        asked[naming.track].append(naming)
    heads = []
    for number, seen in enumerate(sorted(sightings, key=_reading_order(sightings)), start=1):
        occupant = occupants[seen.track]
        state = _state(seen.track, occupant, holders.values(), known, tracks)
        likely = occupant.student_id or next(iter(occupant.suspects), None)
        heads.append(
            Head(
                number,
                seen.track,
                (seen.x1, seen.y1, seen.x2, seen.y2),
                seen.cue,
                state,
                occupant.by_staff,
                None if likely is None else people.get(likely),
                guests.get(seen.track, "") if state == "settled" else "",
                _conclusion(asked[seen.track], found.taken_at, people),
            )
        )
    look = LookLine(
        *(found.taken_at, found.trigger, found.headcount, found.identified, found.unknown),
        *(found.searches, found.paid, found.reviewed, json.loads(found.causes or "{}"), found.id),
    )
    return LookSheet(
        line_of(session, row), look, 1 + found.before, found.previous_id, found.next_id, tuple(heads)
    )


def _look(session: Session, session_id: int, look_id: int) -> Any:
    """The look, how many were before it, and its neighbours; in one statement."""
    look, other = LookRow, aliased(LookRow)
    earlier = or_(other.taken_at < look.taken_at, and_(other.taken_at == look.taken_at, other.uid < look.uid))
    later = or_(other.taken_at > look.taken_at, and_(other.taken_at == look.taken_at, other.uid > look.uid))
    beside = select(other.id).where(other.session_id == look.session_id).limit(1)
    counted = select(func.count()).select_from(other).where(other.session_id == look.session_id, earlier)
    found = session.execute(
        select(
            *(look.id, look.taken_at, look.trigger, look.headcount, look.identified, look.unknown),
            *(look.searches, look.paid, look.reviewed, look.causes),
            counted.correlate(look).scalar_subquery().label("before"),
            beside.where(earlier)
            .order_by(other.taken_at.desc(), other.uid.desc())
            .correlate(look)
            .scalar_subquery()
            .label("previous_id"),
            beside.where(later)
            .order_by(other.taken_at, other.uid)
            .correlate(look)
            .scalar_subquery()
            .label("next_id"),
        ).where(look.id == look_id, look.session_id == session_id)
    ).first()
    if found is None:
        raise NotFoundError(f"session {session_id} has no look {look_id}")
    return found


def _namings(session: Session, session_id: int, tracks: Collection[str]) -> Sequence[Any]:
    """All conclusions about these tracks in the session with the crops behind them, in order of time."""
    row = NamingRow
    kept = and_(EvidenceRow.look_id == row.look_id, EvidenceRow.track == row.track)
    query = (
        select(
            *(LookRow.taken_at, row.look_id, row.track, row.verdict, row.student_id, row.similarity_pct),
            *(row.runner_up_id, row.runner_up_pct, row.threshold_pct, row.margin_pct, row.looks),
            *(row.engine, row.model, EvidenceRow.id.label("evidence_id"), EvidenceRow.keep_until),
        )
        .join(LookRow, LookRow.id == row.look_id)
        .outerjoin(EvidenceRow, kept)
        .where(LookRow.session_id == session_id, row.track.in_(tracks))
    )
    return session.execute(query.order_by(LookRow.taken_at, row.id)).all()


def _judged(session: Session, session_id: int, tracks: Collection[str]) -> Sequence[JudgementRow]:
    query = select(JudgementRow).where(
        JudgementRow.session_id == session_id, JudgementRow.subject.in_(tracks)
    )
    return session.scalars(query.order_by(JudgementRow.id)).all()


def _people(
    session: Session, course_id: int, namings: Sequence[Any], judged: Sequence[JudgementRow]
) -> tuple[dict[int, Person], frozenset[int]]:
    """Whom the conclusions and verdicts name, by id, and those of them that are on the roster."""
    ids = {one.student_id for one in namings} | {one.runner_up_id for one in namings}
    ids |= {one.student_id for one in judged}
    on_roster = and_(Enrolment.student_id == Student.id, Enrolment.course_id == course_id)
    found = session.execute(
        select(Student.id, Student.student_no, Student.name, Enrolment.id.label("place"))
        .outerjoin(Enrolment, on_roster)
        .where(Student.id.in_(ids - {None}))
    ).all()
    people = {one.id: Person(one.student_no, one.name) for one in found}
    return people, frozenset(one.id for one in found if one.place is not None)


def _naming(row: Any) -> Naming:
    return Naming(
        *(row.track, row.taken_at, row.verdict, row.student_id, row.similarity_pct),
        *(row.runner_up_id, row.runner_up_pct, row.threshold_pct, row.margin_pct),
    )


def _ruling(row: JudgementRow) -> Ruling:
    return Ruling(row.subject, row.kind, row.verdict, row.student_id, row.since, row.made_at, row.id)


def _state(
    track: str, occupant: Occupant, holders: Collection[str], known: Collection[str], tracks: Tracks
) -> str:
    if track in holders:
        return "named"
    if track in known or occupant.reviewed:
        return "settled"
    if occupant.student_id is not None:
        return "second"
    if not occupant.asked:
        return "not_asked"
    if tracks.is_pending(track):
        return "asking"
    return "doubtful" if occupant.suspects else "unknown"


def _conclusion(own: Sequence[Any], at: datetime, people: dict[int, Person]) -> Conclusion | None:
    """The last answer about a track by then; where there was none yet, the first one after it."""
    if not own:
        return None
    by_then = [one for one in own if one.taken_at <= at]
    row = by_then[-1] if by_then else own[0]
    return Conclusion(
        *(row.look_id, row.taken_at, row.verdict, people.get(row.student_id), row.similarity_pct),
        *(people.get(row.runner_up_id), row.runner_up_pct, row.threshold_pct, row.margin_pct),
        *(row.looks, row.engine, row.model, row.evidence_id, row.keep_until),
    )


def _reading_order(sightings: Sequence[Any]) -> Any:
    """A key that sorts boxes row by row: those whose middles are within half a box of each other are one row."""
    tall = max((one.y2 - one.y1 for one in sightings), default=1) or 1
    return lambda one: (round((one.y1 + one.y2) / 2 / tall), one.x1, one.track)
