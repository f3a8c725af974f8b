"""When courses meet every week. What is changed here moves the sessions that were planned by it and nobody has touched."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.errors import NotFoundError
from db.names import title_fault
from db.planning import (
    PlanConflictError,
    PlanError,
    holding,
    lock_slots,
    looked_at,
    meeting_on,
    move,
    plan_course,
    take_away,
)
from db.proof import note_record
from db.record_digests import record_digest
from db.schema import Course, PlannedRow, SessionRow, SlotRow

__all__ = [
    "MOST_SLOTS",
    "NewSlot",
    "add_slot",
    "change_slot",
    "find_slot",
    "remove_slot",
    "replanned",
    "slot_mark",
    "slots_of",
]

MOST_SLOTS = 50
"""Of one course: a timetable, not a list of dates."""


@dataclass(frozen=True, slots=True)
class NewSlot:
    """See `db.schema.SlotRow`."""

    weekday: int
    begins: str
    minutes: int
    from_on: str
    until_on: str
    title: str = ""

    def check(self) -> None:
        """Raises PlanError for what is no slot."""
        if not 0 <= self.weekday <= 6:
            raise PlanError("choose the day of the week")
        if not _is_clock(self.begins):
            raise PlanError(f"{self.begins[:20]!r} is no time of day; write e.g. 09:15")
        if not 0 < self.minutes <= 24 * 60:
            raise PlanError(f"a session of {self.minutes} minutes cannot be; give 1 to 1440")
        for day in (self.from_on, self.until_on):
            if not _is_day(day):
                raise PlanError(f"{day[:20]!r} is no date; write e.g. 2026-11-20")
        if self.until_on < self.from_on:
            raise PlanError(
                f"the last day {self.until_on} is before the first, {self.from_on}; exchange them"
            )
        if fault := title_fault(self.title):
            raise PlanError(fault)


def slots_of(session: Session, course_id: int) -> list[SlotRow]:
    """In the order of the week."""
    order = (SlotRow.weekday, SlotRow.begins, SlotRow.id)
    return list(session.scalars(select(SlotRow).where(SlotRow.course_id == course_id).order_by(*order)))


def find_slot(session: Session, course_id: int, slot_id: int) -> SlotRow:
    """Raises NotFoundError, for another course's slot too."""
    row = session.get(SlotRow, slot_id)
    if row is None or row.course_id != course_id:
        raise NotFoundError(f"there is no slot {slot_id} in this timetable")
    return row


def slot_mark(row: SlotRow) -> str:
    """Stands for a slot as somebody read it."""
    return record_digest(row)[:16]


def add_slot(session: Session, course: Course, new: NewSlot, actor: str, now: datetime) -> int:
    """Add a slot and plan its sessions; returns the slot's id. The same one sent twice is added once. Raises PlanError."""
    new.check()
    # Who adds the first slot of a course has no slot to hold on to.
    session.scalars(select(Course.id).where(Course.id == course.id).with_for_update()).one()
    slots = lock_slots(session, course.id)
    for slot in slots:
        if _fields(slot) == asdict(new):
            return slot.id
    if len(slots) >= MOST_SLOTS:
        raise PlanError(f"the timetable has {MOST_SLOTS} slots, which is as many as fit; remove one first")
    row = SlotRow(course_id=course.id, **asdict(new))
    session.add(row)
    session.flush()
    note_record(session, actor, "slot.added", row, None, _told(row))
    plan_course(session, course.id, now, actor)
    return row.id


def change_slot(
    session: Session, course: Course, slot_id: int, new: NewSlot, mark: str, actor: str, now: datetime
) -> None:
    """Change a slot. Raises PlanError, PlanConflictError, NotFoundError. `mark`: of the slot as it was read."""
    new.check()
    lock_slots(session, course.id)
    row = find_slot(session, course.id, slot_id)
    if _fields(row) == asdict(new):
        return
    if slot_mark(row) != mark:
        raise PlanConflictError(
            "the slot was changed while you had it open; look at it below, then save again"
        )
    before = _told(row)
    with replanned(session, course, actor, now):
        for name, value in asdict(new).items():
            setattr(row, name, value)
        session.flush()
        note_record(session, actor, "slot.changed", row, before, _told(row))


def remove_slot(session: Session, course: Course, slot_id: int, actor: str, now: datetime) -> int:
    """Remove a slot and its sessions to come, but for those that somebody changed; returns how many. Raises NotFoundError."""
    lock_slots(session, course.id)
    row = find_slot(session, course.id, slot_id)
    untouched = [held.session for held in _untouched(session, course, [row], now)]
    kept = holding(session, [one.id for one in untouched])
    gone = [one for one in untouched if one.id not in kept]
    session.execute(delete(PlannedRow).where(PlannedRow.slot_id == row.id))
    for one in gone:
        take_away(session, one, actor)
    note_record(session, actor, "slot.removed", row, _told(row))
    session.delete(row)
    session.flush()
    return len(gone)


@contextmanager
def replanned(session: Session, course: Course, actor: str, now: datetime) -> Iterator[None]:
    """Within the block the timetable or its time zone is changed; afterwards the untouched sessions stand where it says."""
    slots = lock_slots(session, course.id)
    held = _untouched(session, course, slots, now)
    yield
    for one in held:
        _follow(session, course, one, actor, now)
    plan_course(session, course.id, now, actor)


@dataclass(frozen=True, slots=True)
class _Held:
    slot: SlotRow
    planned: PlannedRow
    session: SessionRow


def _untouched(session: Session, course: Course, slots: list[SlotRow], now: datetime) -> list[_Held]:
    """The sessions to come that are as their slots say, and that nobody has looked at."""
    by_id = {slot.id: slot for slot in slots}
    query = (
        select(PlannedRow, SessionRow)
        .join(SessionRow, SessionRow.id == PlannedRow.session_id)
        .where(PlannedRow.slot_id.in_(by_id), SessionRow.starts_at > now)
        .order_by(SessionRow.id)
        .with_for_update()
    )
    found = []
    for planned, row in session.execute(query):
        slot = by_id[planned.slot_id]
        held_on = date.fromisoformat(planned.week) + timedelta(days=slot.weekday)
        meeting = meeting_on(slot, course.time_zone, held_on)
        if (row.title, row.starts_at, row.ends_at) == (
            slot.title or course.code,
            meeting.starts_at,
            meeting.ends_at,
        ):
            found.append(_Held(slot, planned, row))
    looked = looked_at(session, [one.session.id for one in found])
    return [one for one in found if one.session.id not in looked]


def _follow(session: Session, course: Course, held: _Held, actor: str, now: datetime) -> None:
    slot, row = held.slot, held.session
    held_on = date.fromisoformat(held.planned.week) + timedelta(days=slot.weekday)
    meeting, title = meeting_on(slot, course.time_zone, held_on), slot.title or course.code
    if slot.from_on <= held_on.isoformat() <= slot.until_on and meeting.starts_at > now:
        if (row.title, row.starts_at, row.ends_at) != (title, meeting.starts_at, meeting.ends_at):
            move(session, row, title, meeting.starts_at, meeting.ends_at, actor)
    elif not holding(session, [row.id]):
        take_away(session, row, actor)
        # Nobody decided that this week has none: it is planned again if the timetable says so again.
        session.delete(held.planned)
        session.flush()


def _fields(row: SlotRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in NewSlot.__dataclass_fields__}


def _told(row: SlotRow) -> dict[str, object]:
    return {name: value for name, value in _fields(row).items() if name != "title"}


def _is_clock(text: str) -> bool:
    try:
        return len(text) == 5 and time.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
