"""Looks as they arrive: stored once, whatever is sent twice."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Select, and_, insert, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from db.audit import SYSTEM, Change, note
from db.due import mark_due
from db.evidence.claims import Kept, attach
from db.proof.kinds import look_subject
from db.record_digests import look_digest
from db.rules import Look, Naming
from db.schema import Base, Enrolment, FaceRow, LookRow, NamingRow, RecognisableRow, SessionRow, SightingRow
from db.sessions import no_session

__all__ = [
    "NewLook",
    "NewNaming",
    "NewSighting",
    "find_look",
    "looks_of",
    "namings_of",
    "recognisable_in",
    "recognisable_now",
    "record_looks",
    "tracks_before",
]


_SIGHTINGS = Base.metadata.tables[SightingRow.__tablename__]


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
    """An observation after recognition, ready to be stored. `evidence`: crops that are in the evidence store already.

    `changes`: what the audit chain says besides, together with it.
    """

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
    evidence: tuple[Kept, ...] = ()
    changes: tuple[Change, ...] = ()


def find_look(session: Session, session_id: int, uid: str) -> LookRow | None:
    return session.scalar(select(LookRow).where(LookRow.session_id == session_id, LookRow.uid == uid))


def record_looks(session: Session, looks: Sequence[NewLook]) -> list[bool]:
    """Store looks, of any sessions, in a few statements; False for each that was stored before or twice among these.

    Locks the sessions first, in order of their ids: writers that met them in another order would wait for each other for
    ever. The ledgers concerned are due from then on. Raises NotFoundError for a session that is none; nothing is stored then.
    """
    sessions = sorted({new.session_id for new in looks})
    lock = select(SessionRow.id).where(SessionRow.id.in_(sessions)).order_by(SessionRow.id).with_for_update()
    found = set(session.scalars(lock))
    for missing in sessions:
        if missing not in found:
            raise no_session(missing)
    known = _look_ids(session, looks)
    fresh: dict[tuple[int, str], NewLook] = {}
    answers = []
    for new in looks:
        key = (new.session_id, new.uid)
        answers.append(key not in known and key not in fresh)
        if key not in known:
            fresh.setdefault(key, new)
    if not fresh:
        return answers
    session.execute(insert(LookRow), [_look(new) for new in fresh.values()])
    ids = _look_ids(session, list(fresh.values()))
    sightings = [_sighting(ids[key], seen) for key, new in fresh.items() for seen in new.sightings]
    namings = [asdict(naming) | {"look_id": ids[key]} for key, new in fresh.items() for naming in new.namings]
    if sightings:
        # By the table, not the class: there are many, and their columns are called alike.
        session.execute(insert(_SIGHTINGS), sightings)
    if namings:
        session.execute(insert(NamingRow), namings)
    for key, new in fresh.items():
        attach(session, new.session_id, ids[key], new.evidence)
        subject = look_subject(new.session_id, new.uid)
        note(session, SYSTEM, "look.stored", subject, None, {"digest": look_digest(new)})
        for one in new.changes:
            note(session, one.actor, one.action, one.subject, one.before, one.after, one.reason)
    met = {new.session_id for new in fresh.values()}
    _note_recognisable(session, met)
    mark_due(session, met)
    return answers


def _note_recognisable(session: Session, session_ids: Collection[int]) -> None:
    """Keep whom an engine knows by now, of the courses of these sessions."""
    known = session.execute(recognisable_now(session_ids))
    if rows := [{"session_id": one, "student_id": student_id} for one, student_id in known]:
        session.execute(insert(RecognisableRow), rows)


def recognisable_now(session_ids: Collection[int]) -> Select[int, int]:
    """Asks for each session and student whom an engine knows and who is not on record as such yet."""
    noted = and_(
        RecognisableRow.session_id == SessionRow.id, RecognisableRow.student_id == Enrolment.student_id
    )
    return (
        select(SessionRow.id, Enrolment.student_id)
        .join(Enrolment, Enrolment.course_id == SessionRow.course_id)
        .outerjoin(RecognisableRow, noted)
        .where(
            SessionRow.id.in_(session_ids),
            RecognisableRow.student_id.is_(None),
            select(FaceRow.face_id).where(FaceRow.student_id == Enrolment.student_id).exists(),
        )
        # In this order. By its statistics MariaDB comes to begin with all faces, or with all that is noted, at each look.
        .prefix_with("STRAIGHT_JOIN", dialect="mysql")
        .prefix_with("STRAIGHT_JOIN", dialect="mariadb")
    )


def recognisable_in(session: Session, session_id: int) -> frozenset[int]:
    """The students whom an engine knew when the looks of a session were stored."""
    query = select(RecognisableRow.student_id).where(RecognisableRow.session_id == session_id)
    return frozenset(session.scalars(query))


def _look_ids(session: Session, looks: Sequence[NewLook]) -> dict[tuple[int, str], int]:
    query = select(LookRow.session_id, LookRow.uid, LookRow.id).where(
        LookRow.session_id.in_({new.session_id for new in looks}), LookRow.uid.in_({new.uid for new in looks})
    )
    return {(row.session_id, row.uid): row.id for row in session.execute(query)}


def _look(new: NewLook) -> dict[str, object]:
    return {
        "session_id": new.session_id,
        "uid": new.uid,
        "began_at": new.began_at,
        "taken_at": new.taken_at,
        "trigger": new.trigger,
        "headcount": new.headcount,
        "identified": 0,
        "unknown": new.headcount,
        "searches": new.searches,
        "paid": new.paid,
        "reviewed": 0,
    }


def _sighting(look_id: int, seen: NewSighting) -> dict[str, object]:
    x1, y1, x2, y2 = seen.box_xyxy
    return {"look_id": look_id, "track": seen.track, "x1": x1, "y1": y1, "x2": x2, "y2": y2, "cue": seen.cue}


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


def looks_of(session: Session, session_id: int) -> list[Look]:
    """The looks of one session as the rules want them."""
    cues: dict[int, dict[str, str]] = defaultdict(dict)
    cued = select(SightingRow.look_id, SightingRow.track, SightingRow.cue).join(LookRow)
    for look_id, track, cue in session.execute(
        cued.where(LookRow.session_id == session_id, SightingRow.cue.is_not(None))
    ):
        cues[look_id][track] = cue or ""
    # A row for each look, not for each head: the driver takes longer for a row than for a name in a list.
    tracks = select(_json_list(SightingRow.track)).where(SightingRow.look_id == LookRow.id).scalar_subquery()
    columns = (LookRow.id, LookRow.uid, LookRow.began_at, LookRow.taken_at, LookRow.headcount, tracks)
    return [
        Look(uid, began_at, taken_at, headcount, frozenset(seen or ()), cues[look_id])
        for look_id, uid, began_at, taken_at, headcount, seen in session.execute(
            select(*columns).where(LookRow.session_id == session_id)
        )
    ]


class _json_list(FunctionElement[list[str]]):  # noqa: N801 - written like the functions of `sqlalchemy.func`
    """The values of a column, in any order; None or an empty list where there are none."""

    type = JSON()
    inherit_cache = True


@compiles(_json_list)
def _of_mysql(element: _json_list, compiler: SQLCompiler, **options: Any) -> str:
    return f"JSON_ARRAYAGG({compiler.process(element.clauses, **options)})"


@compiles(_json_list, "sqlite")
def _of_sqlite(element: _json_list, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


def namings_of(session: Session, session_id: int) -> list[Naming]:
    """All conclusions of one session as the rules want them."""
    row = NamingRow
    columns = (row.track, LookRow.taken_at, row.verdict, row.student_id, row.similarity_pct, row.runner_up_id)
    query = select(*columns, row.runner_up_pct, row.threshold_pct, row.margin_pct).join(LookRow)
    return [Naming(*found) for found in session.execute(query.where(LookRow.session_id == session_id))]
