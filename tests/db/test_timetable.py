"""Sessions that a timetable plans: once, at the clock of the course, and never against what staff did."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db.courses import CourseDetails, change_course, course_mark
from db.database import Database
from db.edits import NewEdit, edit_entry
from db.people import RosterLine, enrol, find_course, make_course
from db.planning import (
    PlanConflictError,
    PlanError,
    change_session,
    plan_all,
    plan_session,
    remove_session,
    session_mark,
)
from db.proof.records import check_records
from db.schema import SessionRow
from db.sessions import find_session, start_session
from db.timetable import (
    MOST_SLOTS,
    NewSlot,
    add_slot,
    change_slot,
    find_slot,
    remove_slot,
    slot_mark,
    slots_of,
)

WHO = "al@x.example"
NOW = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
"""A Monday; in Berlin clocks are set back on the Sunday after."""

TUESDAYS = NewSlot(1, "09:15", 90, "2026-09-01", "2027-02-12", "Cells")


@pytest.fixture(autouse=True)
def _course(database: Database) -> None:
    with database.writing() as writing:
        make_course(writing, "BIO", "Europe/Berlin")


def add(database: Database, slot: NewSlot, now: datetime = NOW) -> int:
    with database.writing() as writing:
        return add_slot(writing, find_course(writing, "BIO"), slot, WHO, now)


def change(database: Database, slot_id: int, slot: NewSlot, now: datetime = NOW) -> None:
    with database.writing() as writing:
        course = find_course(writing, "BIO")
        mark = slot_mark(find_slot(writing, course.id, slot_id))
        change_slot(writing, course, slot_id, slot, mark, WHO, now)


def planned(database: Database) -> list[str]:
    with database.reading() as reading:
        rows = reading.scalars(select(SessionRow).order_by(SessionRow.starts_at)).all()
        check_records(reading)
        return [f"{row.starts_at:%m-%d %H:%M}" for row in rows]


def first_id(database: Database) -> int:
    with database.reading() as reading:
        return reading.scalars(select(SessionRow.id).order_by(SessionRow.starts_at)).first() or 0


def test_sessions_are_planned_for_two_weeks_at_the_clock_of_the_course_in_summer_and_in_winter(
    database: Database,
) -> None:
    add(database, TUESDAYS)
    # A quarter past nine is 07:15 UTC in summer, and 08:15 once clocks were set back.
    assert planned(database) == ["10-20 07:15", "10-27 08:15"]
    assert plan_all(database, NOW) == 0
    assert plan_all(database, NOW + timedelta(days=7)) == 1
    assert planned(database) == ["10-20 07:15", "10-27 08:15", "11-03 08:15"]


def test_a_time_that_clocks_skip_is_an_hour_later_that_day(database: Database) -> None:
    add(database, NewSlot(6, "02:30", 60, "2027-03-01", "2027-04-30"), datetime(2027, 3, 22, tzinfo=UTC))
    assert planned(database) == ["03-28 01:30", "04-04 00:30"]  # half past three, then half past two


def test_only_the_days_from_the_first_to_the_last_are_planned(database: Database) -> None:
    add(database, NewSlot(1, "09:15", 90, "2026-10-21", "2026-10-27"))
    assert planned(database) == ["10-27 08:15"]
    assert plan_all(database, NOW + timedelta(days=14)) == 0


def test_a_class_that_has_begun_is_planned_and_one_that_is_over_is_not(database: Database) -> None:
    add(database, NewSlot(0, "07:30", 60, "2026-10-01", "2026-10-20"))  # half an hour ago
    add(database, NewSlot(0, "06:00", 60, "2026-10-01", "2026-10-20"))
    assert planned(database) == ["10-19 05:30"]


def test_what_staff_removed_or_moved_is_not_planned_again(database: Database) -> None:
    add(database, TUESDAYS)
    removed = first_id(database)
    with database.writing() as writing:
        remove_session(writing, removed, WHO, "a holiday")
    moved = first_id(database)
    with database.writing() as writing:
        mark = session_mark(find_session(writing, moved))
        at = datetime(2026, 10, 28, 12, 0, tzinfo=UTC)
        change_session(writing, moved, "Cells", at, 90, mark, WHO, NOW)
    assert plan_all(database, NOW) == 0
    assert planned(database) == ["10-28 12:00"]


def test_two_portals_that_plan_at_once_plan_each_session_once(database: Database) -> None:
    with database.writing() as writing:
        for code in ("BIO", "CHE", "PHY"):
            add_slot(writing, make_course(writing, code), TUESDAYS, WHO, NOW)
    later = NOW + timedelta(days=14)
    gate, made = threading.Barrier(4), []

    def portal() -> None:
        gate.wait()
        made.append(plan_all(database, later))

    portals = [threading.Thread(target=portal) for _ in range(4)]
    for one in portals:
        one.start()
    for one in portals:
        one.join()
    assert sum(made) == 3 * 2
    assert len(planned(database)) == 3 * 4


def test_a_session_that_is_there_at_that_moment_is_taken_for_the_slots(database: Database) -> None:
    with database.writing() as writing:
        start_session(writing, "BIO", "By hand", datetime(2026, 10, 20, 7, 15, tzinfo=UTC), 90)
    add(database, TUESDAYS)
    assert planned(database) == ["10-20 07:15", "10-27 08:15"]


def test_a_changed_slot_moves_its_sessions_to_come_and_keeps_their_numbers(database: Database) -> None:
    slot, later = add(database, TUESDAYS), NOW + timedelta(days=1, hours=3)  # in the midst of the first
    ids = first_id(database), first_id(database) + 1
    change(database, slot, NewSlot(3, "10:00", 60, "2026-09-01", "2027-02-12", "Tissue"), later)
    assert planned(database) == ["10-20 07:15", "10-29 09:00"]
    with database.reading() as reading:
        rows = [find_session(reading, one) for one in ids]
        assert [(row.title, row.ends_at - row.starts_at) for row in rows] == [
            ("Cells", timedelta(minutes=90)),
            ("Tissue", timedelta(minutes=60)),
        ]


def test_a_changed_slot_leaves_alone_what_staff_changed_or_looked_at(database: Database) -> None:
    slot = add(database, TUESDAYS)
    renamed = first_id(database)
    with database.writing() as writing:
        row = find_session(writing, renamed)
        change_session(writing, renamed, "A film", row.starts_at, 90, session_mark(row), WHO, NOW)
    change(database, slot, NewSlot(1, "14:00", 90, "2026-09-01", "2027-02-12", "Cells"))
    assert planned(database) == ["10-20 07:15", "10-27 13:00"]


def test_a_shorter_timetable_takes_its_sessions_back_and_a_longer_one_plans_them_again(
    database: Database,
) -> None:
    slot = add(database, TUESDAYS)
    change(database, slot, NewSlot(1, "09:15", 90, "2026-09-01", "2026-10-23", "Cells"))
    assert planned(database) == ["10-20 07:15"]
    change(database, slot, TUESDAYS)
    assert planned(database) == ["10-20 07:15", "10-27 08:15"]


def test_with_a_slot_its_sessions_to_come_go_unless_something_is_on_record_of_them(
    database: Database,
) -> None:
    slot = add(database, TUESDAYS)
    with database.writing() as writing:
        enrol(writing, find_course(writing, "BIO"), [RosterLine("A", "Ann", "", "", "")])
        edit_entry(writing, NewEdit(first_id(database), "A", "at the doctor’s", WHO, status="excused"))
    with database.writing() as writing:
        assert remove_slot(writing, find_course(writing, "BIO"), slot, WHO, NOW) == 1
    assert planned(database) == ["10-20 07:15"]
    with database.writing() as writing, pytest.raises(PlanError, match="on record of this session"):
        remove_session(writing, first_id(database), WHO)


def test_another_time_zone_moves_the_sessions_of_the_timetable(database: Database) -> None:
    add(database, TUESDAYS)
    with database.writing() as writing:
        mark = course_mark(find_course(writing, "BIO"))
        details = CourseDetails("Biology", "Asia/Tokyo", 0.8)
        change_course(writing, "BIO", details, mark, WHO, NOW)
    assert planned(database) == ["10-20 00:15", "10-27 00:15"]


def test_who_saves_second_is_told_and_the_same_twice_is_no_conflict(database: Database) -> None:
    slot = add(database, TUESDAYS)
    assert add(database, TUESDAYS) == slot
    with database.writing() as writing:
        course = find_course(writing, "BIO")
        mark = slot_mark(find_slot(writing, course.id, slot))
    other = NewSlot(2, "09:15", 90, "2026-09-01", "2027-02-12", "Cells")
    change(database, slot, other)
    with database.writing() as writing:
        change_slot(writing, find_course(writing, "BIO"), slot, other, mark, WHO, NOW)
    with database.writing() as writing, pytest.raises(PlanConflictError):
        change_slot(writing, find_course(writing, "BIO"), slot, TUESDAYS, mark, WHO, NOW)
    with database.reading() as reading:
        assert len(slots_of(reading, find_course(reading, "BIO").id)) == 1


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        (NewSlot(7, "09:15", 90, "2026-09-01", "2027-02-12"), "choose the day"),
        (NewSlot(1, "9.15", 90, "2026-09-01", "2027-02-12"), "'9.15' is no time of day"),
        (NewSlot(1, "25:00", 90, "2026-09-01", "2027-02-12"), "'25:00' is no time of day"),
        (NewSlot(1, "09:15", 0, "2026-09-01", "2027-02-12"), "0 minutes cannot be"),
        (NewSlot(1, "09:15", 90, "1.9.2026", "2027-02-12"), "'1.9.2026' is no date"),
        (NewSlot(1, "09:15", 90, "2026-09-01", "2026-02-30"), "'2026-02-30' is no date"),
        (NewSlot(1, "09:15", 90, "2026-09-01", "2026-08-31"), "is before the first"),
        (NewSlot(1, "09:15", 90, "2026-09-01", "2027-02-12", "t" * 201), "201 characters"),
    ],
)
def test_a_slot_that_cannot_be_names_the_value_and_the_remedy(slot: NewSlot, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        slot.check()


def test_a_timetable_takes_so_many_slots_and_no_more(sqlite_database: Database) -> None:
    with sqlite_database.writing() as writing:
        course = make_course(writing, "MANY")
        for minutes in range(1, MOST_SLOTS + 1):
            add_slot(writing, course, NewSlot(0, "09:00", minutes, "2030-01-01", "2030-02-01"), WHO, NOW)
        with pytest.raises(PlanError, match="remove one first"):
            add_slot(writing, course, TUESDAYS, WHO, NOW)


def test_a_session_is_planned_by_hand_once_and_changed_until_it_begins(database: Database) -> None:
    at = NOW + timedelta(hours=1)
    with database.writing() as writing:
        one = plan_session(writing, "BIO", "", at, 45, WHO, NOW)
        assert plan_session(writing, "BIO", "", at, 45, WHO, NOW) == one
        mark = session_mark(find_session(writing, one))
    with database.writing() as writing, pytest.raises(PlanError, match="over already"):
        plan_session(writing, "BIO", "", NOW - timedelta(hours=2), 45, WHO, NOW)
    with database.writing() as writing, pytest.raises(PlanError, match="has begun"):
        change_session(writing, one, "Late", at, 45, mark, WHO, at)
    with database.writing() as writing, pytest.raises(PlanConflictError):
        change_session(writing, one, "Else", at, 45, "another", WHO, NOW)
    with database.writing() as writing:
        change_session(writing, one, "Cells", at, 60, mark, WHO, NOW)
    assert planned(database) == ["10-19 07:00"]
