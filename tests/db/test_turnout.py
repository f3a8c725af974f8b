"""How many came per day and per hour, on SQLite and on a real MariaDB."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from db.database import Database
from db.errors import NotFoundError
from db.people import RosterLine, enrol, make_course
from db.schema import AttendanceRow, IntervalRow, LookRow
from db.sessions import start_session
from db.turnout import Detections, TurnoutHour, turnout_of

NINE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""In Berlin."""

LATER = NINE + timedelta(days=365)


class Course:
    """Two students, and sessions with the stays that a test writes down."""

    def __init__(self, database: Database, zone: str = "Europe/Berlin") -> None:
        self.database = database
        with database.writing() as session:
            course = make_course(session, "BIO", zone)
            lines = [RosterLine(name, name, "", "", "") for name in ("Ann", "Ben")]
            self.ids = {student.name: student.id for student in enrol(session, course, lines)}

    def hold(self, begins: datetime, minutes: int, **stays: tuple[int, ...]) -> int:
        """Stays are minutes after the beginning, from and to, and from and to again; one look counts three heads."""
        with self.database.writing() as session:
            row = start_session(session, "BIO", "Cells", begins, minutes)
            for name, moments in stays.items():
                times = [begins + timedelta(minutes=after) for after in moments]
                entry = AttendanceRow(
                    session_id=row.id, student_id=self.ids[name], status="present", minutes=1.0, source="system",
                    joined_at=times[0], last_seen_at=times[-1], version=1,
                )  # fmt: skip
                session.add(entry)
                session.flush()
                for seen_from, seen_to in zip(times[::2], times[1::2], strict=True):
                    session.add(IntervalRow(attendance_id=entry.id, seen_from=seen_from, seen_to=seen_to))
            look = {"session_id": row.id, "uid": f"u{row.id}", "began_at": begins, "taken_at": begins}
            counts = {"headcount": 3, "identified": 2, "unknown": 1, "searches": 2, "paid": 0, "reviewed": 1}
            session.execute(insert(LookRow).values(**look, **counts, trigger="none"))
            return row.id


@pytest.fixture
def course(database: Database) -> Course:
    return Course(database)


def test_a_person_counts_once_a_day_and_once_in_each_hour(course: Course) -> None:
    course.hold(NINE, 45, Ann=(0, 44), Ben=(10, 20))
    course.hold(NINE + timedelta(hours=1), 90, Ann=(0, 80))
    course.hold(NINE + timedelta(days=7), 45, Ben=(0, 44))
    with course.database.reading() as session:
        found = turnout_of(session, "BIO", LATER)
    assert [(day.on, day.sessions, day.persons) for day in found.days] == [
        (date(2026, 3, 2), 2, 2),
        (date(2026, 3, 9), 1, 1),
    ]
    assert found.hours == (TurnoutHour(9, 2, 3), TurnoutHour(10, 1, 1), TurnoutHour(11, 1, 1))
    assert found.hours[0].average == 1.5
    assert found.detections == Detections(3, 9, 6, 3, 6)


def test_whoever_was_away_for_an_hour_was_not_seen_in_it(course: Course) -> None:
    course.hold(NINE, 180, Ann=(0, 30, 125, 170), Ben=(0, 170))
    course.hold(NINE + timedelta(days=1), 45, Ben=(0, 44))
    with course.database.reading() as session:
        assert [hour.persons for hour in turnout_of(session, "BIO", LATER).hours] == [3, 1, 2]


def test_what_staff_wrote_over_an_entry_changes_nothing(course: Course) -> None:
    edited = course.hold(NINE, 45, Ann=(0, 44), Ben=(0, 44))
    with course.database.writing() as session:
        entry = AttendanceRow
        session.execute(
            update(entry)
            .where(entry.session_id == edited, entry.student_id == course.ids["Ann"])
            .values(
                source="staff", joined_at=NINE - timedelta(hours=3), last_seen_at=NINE + timedelta(hours=3)
            )
        )
        session.execute(
            update(entry).where(entry.student_id == course.ids["Ben"]).values(source="staff", joined_at=None)
        )
    with course.database.reading() as session:
        assert turnout_of(session, "BIO", LATER).hours == (TurnoutHour(9, 1, 2),)


def test_days_and_hours_are_those_of_the_courses_clock_also_where_it_is_set_back(course: Course) -> None:
    # Midnight in Berlin is 23:00 UTC; on 25 October 2026 its clocks show 02:00 to 02:59 twice.
    course.hold(datetime(2026, 10, 24, 21, 30, tzinfo=UTC), 300, Ann=(0, 299))
    with course.database.reading() as session:
        found = turnout_of(session, "BIO", LATER)
    assert [(day.on.day, day.persons) for day in found.days] == [(24, 1), (25, 1)]
    assert [(hour.hour, hour.persons) for hour in found.hours] == [(0, 1), (1, 1), (2, 1), (3, 1), (23, 1)]


@pytest.mark.parametrize(
    ("zone", "first", "last", "hours"),
    [
        ("Asia/Kolkata", 20, 40, [13, 14]),  # half past the hour of UTC, where an hour begins
        ("Asia/Kolkata", 31, 59, [14]),
        ("Asia/Kolkata", 0, 29, [13]),
        ("Asia/Kathmandu", 10, 20, [13, 14]),  # a quarter past it
        ("Asia/Kathmandu", 16, 20, [14]),
        ("Asia/Kathmandu", 1, 14, [13]),
        ("Europe/Berlin", 0, 59, [9]),
    ],
)
def test_hours_are_those_of_clocks_that_begin_them_at_other_minutes(
    database: Database, zone: str, first: int, last: int, hours: list[int]
) -> None:
    course = Course(database, zone)
    course.hold(NINE, 60, Ann=(first, last), Ben=(first, last))
    with database.reading() as session:
        found = turnout_of(session, "BIO", LATER).hours
    assert [hour.hour for hour in found if hour.persons] == hours
    assert {hour.persons for hour in found if hour.persons} == {2}


def test_days_of_sessions_to_come_have_no_class_yet(course: Course) -> None:
    course.hold(NINE, 45, Ann=(0, 44))
    with course.database.writing() as session:
        start_session(session, "BIO", "Planned", NINE + timedelta(days=7, hours=3), 45)
    with course.database.reading() as session:
        found = turnout_of(session, "BIO", NINE + timedelta(days=1))
        assert [day.on for day in found.days] == [date(2026, 3, 2)]
        assert found.hours == (TurnoutHour(9, 1, 1),)


def test_a_session_that_nobody_looked_at_makes_no_day_with_class_and_one_to_which_nobody_came_does(
    course: Course,
) -> None:
    course.hold(NINE, 45, Ann=(0, 44), Ben=(0, 44))
    with course.database.writing() as session:
        start_session(session, "BIO", "Fell out", NINE + timedelta(days=1), 45)
    with course.database.reading() as session:
        found = turnout_of(session, "BIO", LATER)
    assert (found.sessions, found.hours) == (1, (TurnoutHour(9, 1, 2),))
    course.hold(NINE + timedelta(days=2), 45)
    with course.database.reading() as session:
        found = turnout_of(session, "BIO", LATER)
    assert [(day.on.day, day.sessions, day.persons) for day in found.days] == [(2, 1, 2), (4, 1, 0)]
    assert found.hours == (TurnoutHour(9, 2, 2),)


def test_only_sessions_of_the_days_asked_for_count(course: Course) -> None:
    course.hold(NINE, 45, Ann=(0, 44))
    with course.database.reading() as session:
        assert not turnout_of(session, "BIO", LATER, from_at=NINE + timedelta(minutes=1)).days
        assert not turnout_of(session, "BIO", LATER, until_at=NINE).days
        with pytest.raises(NotFoundError, match="no course 'NONE'"):
            turnout_of(session, "NONE", LATER)
