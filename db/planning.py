"""Sessions to come: planned from timetables, changed and removed until they begin."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, exists, or_, select
from sqlalchemy.orm import Session

from db.audit import SYSTEM
from db.database import Database
from db.due import mark_due
from db.errors import GridrollError
from db.names import title_fault
from db.proof import note_record
from db.record_digests import record_digest
from db.schema import AttendanceRow, Base, Course, DueRow, LookRow, PlannedRow, SessionRow, SlotRow
from db.sessions import find_session, lock_session, start_session

__all__ = [
    "AHEAD",
    "PlanConflictError",
    "PlanError",
    "change_session",
    "is_bare",
    "meetings_of",
    "plan_all",
    "plan_course",
    "plan_session",
    "remove_session",
    "session_mark",
]

AHEAD = timedelta(days=14)
"""How long before they begin the sessions of a timetable are planned."""

DERIVED = frozenset({"due_folds", "planned", "engine_calls"})
"""Tables that name sessions and are no reason to keep one."""


class PlanError(GridrollError):
    """A session that cannot be planned, changed or removed so."""


class PlanConflictError(PlanError):
    """Somebody else changed or removed it since it was read."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """When a slot meets in a week. `week`: its Monday, as `2026-11-16`."""

    week: str
    starts_at: datetime
    ends_at: datetime


def meetings_of(slot: SlotRow, time_zone: str, now: datetime) -> Iterator[Meeting]:
    """A slot's meetings that have not ended and begin within `AHEAD`. The clock of the zone says when, in summer and winter.

    A time that clocks skip, as they are set forward, is taken to be as much later.
    """
    today = now.astimezone(ZoneInfo(time_zone)).date()
    day = today - timedelta(days=today.weekday() + 7)
    while day <= today + AHEAD:
        held_on = day + timedelta(days=slot.weekday)
        found = meeting_on(slot, time_zone, held_on)
        if slot.from_on <= held_on.isoformat() <= slot.until_on and now < found.ends_at:
            if found.starts_at > now + AHEAD:
                return
            yield found
        day += timedelta(days=7)


def meeting_on(slot: SlotRow, time_zone: str, held_on: date) -> Meeting:
    week = held_on - timedelta(days=held_on.weekday())
    begins = datetime.combine(held_on, time.fromisoformat(slot.begins), ZoneInfo(time_zone)).astimezone(UTC)
    return Meeting(week.isoformat(), begins, begins + timedelta(minutes=slot.minutes))


def plan_all(database: Database, now: datetime) -> int:
    """Plan the sessions of all timetables. Returns how many there were to plan. Safe to repeat, and beside others."""
    with database.reading() as reading:
        courses = _courses_to_plan(reading, now)
    return sum(database.transact(partial(plan_course, course_id=one, now=now)) for one in courses)


def plan_course(session: Session, course_id: int, now: datetime, actor: str = SYSTEM) -> int:
    """Plan the sessions of one course's timetable; returns how many. See decision 030 for why none is planned twice.

    Where the course has a session at that moment already, that one is taken to be it.
    """
    slots = lock_slots(session, course_id)
    if not slots:
        return 0
    course = session.get_one(Course, course_id)
    weeks = _planned_weeks(session, [slot.id for slot in slots], now)
    known = select(SessionRow).where(SessionRow.course_id == course_id, SessionRow.ends_at > now)
    coming = {row.starts_at: row for row in session.scalars(known)}
    made = 0
    for slot in slots:
        for meeting in meetings_of(slot, course.time_zone, now):
            if meeting.week in weeks[slot.id]:
                continue
            row = coming.get(meeting.starts_at)
            if row is None:
                row = start_session(session, course.code, slot.title, meeting.starts_at, slot.minutes, actor)
                coming[meeting.starts_at] = row
                made += 1
            session.add(PlannedRow(slot_id=slot.id, week=meeting.week, session_id=row.id))
    session.flush()
    return made


def lock_slots(session: Session, course_id: int) -> list[SlotRow]:
    """A course's slots in order of their ids; whoever else plans by them waits until the transaction ends."""
    query = select(SlotRow).where(SlotRow.course_id == course_id).order_by(SlotRow.id)
    return list(session.scalars(query.with_for_update().execution_options(populate_existing=True)))


def plan_session(
    session: Session, code: str, title: str, starts_at: datetime, minutes: int, actor: str, now: datetime
) -> int:
    """Plan a single session; returns its id. The same one sent twice is planned once. Raises PlanError, NotFoundError."""
    _check(title, starts_at, minutes, now)
    course = session.scalars(select(Course).where(Course.code == code).with_for_update()).first()
    if course is not None:
        same = select(SessionRow.id).where(
            SessionRow.course_id == course.id,
            SessionRow.starts_at == starts_at,
            SessionRow.title == (title or course.code),
            SessionRow.ends_at == starts_at + timedelta(minutes=minutes),
        )
        held = session.scalar(same.limit(1))
        if held is not None:
            return held
    return start_session(session, code, title, starts_at, minutes, actor).id


def session_mark(row: SessionRow) -> str:
    """Stands for a session as somebody read it."""
    return record_digest(row)[:16]


def change_session(
    session: Session,
    session_id: int,
    title: str,
    starts_at: datetime,
    minutes: int,
    mark: str,
    actor: str,
    now: datetime,
) -> None:
    """Give a session that has not begun another title or time. Raises PlanError, PlanConflictError, NotFoundError.

    `mark`: of the session as it was read.
    """
    _check(title, starts_at, minutes, now)
    lock_session(session, session_id)
    row = find_session(session, session_id)
    title = title or row.course.code
    ends_at = starts_at + timedelta(minutes=minutes)
    if (row.title, row.starts_at, row.ends_at) == (title, starts_at, ends_at):
        return
    if session_mark(row) != mark:
        raise PlanConflictError(
            "the session was changed while you had it open; look at it below, then save again"
        )
    if row.starts_at <= now or looked_at(session, [row.id]):
        raise PlanError("the session has begun; its title and times stay as they are")
    move(session, row, title, starts_at, ends_at, actor)


def remove_session(session: Session, session_id: int, actor: str, reason: str = "") -> None:
    """Remove a session of which nothing is on record. Raises PlanError, NotFoundError."""
    lock_session(session, session_id)
    row = find_session(session, session_id)
    if holding(session, [row.id]):
        raise PlanError("something is on record of this session, looks or what staff wrote; it stays")
    take_away(session, row, actor, reason)


def move(
    session: Session, row: SessionRow, title: str, starts_at: datetime, ends_at: datetime, actor: str
) -> None:
    before, renamed = _times(row), row.title != title
    row.title, row.starts_at, row.ends_at = title, starts_at, ends_at
    session.flush()
    # That it has another title, not which: no text that somebody typed enters the chain.
    after = {**_times(row), **({"fields": ["title"]} if renamed else {})}
    note_record(session, actor, "session.changed", row, before, after)
    entries = select(AttendanceRow.id).where(AttendanceRow.session_id == row.id).limit(1)
    if session.scalar(entries) is not None:
        # An excuse may hold at one time and not at another.
        mark_due(session, [row.id])


def take_away(session: Session, row: SessionRow, actor: str, reason: str = "") -> None:
    for due in session.scalars(select(DueRow).where(DueRow.session_id == row.id)):
        session.delete(due)
    for planned in session.scalars(select(PlannedRow).where(PlannedRow.session_id == row.id)):
        planned.session_id = None
    session.flush()
    note_record(session, actor, "session.removed", row, _times(row), None, reason)
    session.delete(row)
    session.flush()


def looked_at(session: Session, session_ids: Collection[int]) -> set[int]:
    """Those of the sessions that have a look."""
    return set(
        session.scalars(select(LookRow.session_id).where(LookRow.session_id.in_(session_ids)).distinct())
    )


def is_bare(session: Session, session_id: int) -> bool:
    """Whether nothing is on record of the session: asked in one statement."""
    named = [exists().where(column == session_id) for column in _naming_sessions()]
    return not session.scalar(select(or_(*named)))


def holding(session: Session, session_ids: Collection[int]) -> set[int]:
    """Those of the sessions of which anything is on record."""
    found: set[int] = set()
    for column in _naming_sessions():
        found |= set(session.scalars(select(column).where(column.in_(session_ids)).distinct()))
    return found


def _naming_sessions() -> Iterator[ColumnElement[int]]:
    for table in Base.metadata.sorted_tables:
        if table.name not in DERIVED:
            yield from _sessions_in(table)


def _sessions_in(table: Table) -> Iterator[ColumnElement[int]]:
    for column in table.columns:
        if any(key.column.table.name == "sessions" for key in column.foreign_keys):
            yield column


def _check(title: str, starts_at: datetime, minutes: int, now: datetime) -> None:
    if not 0 < minutes <= 24 * 60:
        raise PlanError(f"a session of {minutes} minutes cannot be; give 1 to 1440")
    if fault := title_fault(title):
        raise PlanError(fault)
    if starts_at + timedelta(minutes=minutes) <= now:
        raise PlanError("the session would be over already; give a time to come")


def _times(row: SessionRow) -> dict[str, object]:
    return {"starts_at": row.starts_at, "ends_at": row.ends_at}


def _courses_to_plan(session: Session, now: datetime) -> list[int]:
    last = (now + AHEAD + timedelta(days=1)).date().isoformat()
    first = (now - timedelta(days=2)).date().isoformat()
    query = select(SlotRow, Course.time_zone).join(Course, Course.id == SlotRow.course_id)
    slots = session.execute(query.where(SlotRow.from_on <= last, SlotRow.until_on >= first)).all()
    weeks = _planned_weeks(session, [slot.id for slot, _ in slots], now)
    wanting = {
        slot.course_id
        for slot, time_zone in slots
        if any(one.week not in weeks[slot.id] for one in meetings_of(slot, time_zone, now))
    }
    return sorted(wanting)


def _planned_weeks(session: Session, slot_ids: Collection[int], now: datetime) -> Mapping[int, set[str]]:
    """Those that planning may ask about: earlier weeks are over."""
    found: dict[int, set[str]] = defaultdict(set)
    first = (now - timedelta(days=21)).date().isoformat()
    query = select(PlannedRow.slot_id, PlannedRow.week).where(
        PlannedRow.slot_id.in_(slot_ids), PlannedRow.week >= first
    )
    for slot_id, week in session.execute(query):
        found[slot_id].add(week)
    return found
