"""Staff's first page: what runs, what is planned, what is open, who falls short."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from db.database import Database
from db.instructors import course_ids_of
from db.people import make_course
from db.schema import AttendanceRow, Course, SessionRow, SignIn, Student, User
from db.sessions import start_session
from db.today import sessions_today
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_INSTRUCTOR,
    STAFF,
    Seen,
    add_accounts,
    class_of_sixteen,
    record,
)
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def begin(database: Database, title: str, since_min: float, *seen: Seen, course: str = COURSE) -> int:
    with database.writing() as writing:
        row = start_session(writing, course, title, datetime.now(UTC) - timedelta(minutes=since_min), 45)
        if seen:
            record(writing, row, seen)
        return row.id


def test_a_running_session_shows_its_last_look(browser: Browser, database: Database, meeting: int) -> None:
    begin(database, "Series", 10.5, *(Seen(minute, {"a": 1, "x": None}) for minute in range(11)))
    browser.sign_in(INSTRUCTOR)
    page = text_of(browser.get("/today"))
    assert "1 session runs now" in page
    assert "Heads 2 Identified 1 Unknown 1" in page
    assert "35 minutes left" in page
    assert "1 of 2 came" in page
    assert ", under a minute ago" in page
    assert "No look for" not in page


def test_a_session_without_a_look_for_minutes_is_pointed_out(
    browser: Browser, database: Database, meeting: int
) -> None:
    begin(database, "Series", 12.2, Seen(0, {"a": 1}), Seen(1, {"a": 1}), Seen(2, {"a": 1}))
    begin(database, "Never", 8.1)
    begin(database, "Just begun", 1.1)
    browser.sign_in(INSTRUCTOR)
    page = text_of(browser.get("/today"))
    assert "No look for 10 minutes. Is the agent still running?" in page
    assert "No look yet, 8 minutes after the start." in page
    assert "No look yet." in page


def test_one_that_is_looked_at_seldom_on_purpose_is_not_called_silent(
    browser: Browser, database: Database, meeting: int
) -> None:
    begin(database, "Hourly", 35, *(Seen(minute, {"a": 1}) for minute in (0, 10, 20, 30)))
    browser.sign_in(INSTRUCTOR)
    assert "No look for" not in browser.get("/today").text


@pytest.mark.parametrize(
    ("now", "zone", "found"),
    [
        # Nine in the evening in Berlin; the session of the meeting began at nine in the morning there.
        (datetime(2026, 3, 2, 20, tzinfo=UTC), "Europe/Berlin", True),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "Europe/Berlin", False),  # tomorrow already
        (datetime(2026, 3, 1, 23, 30, tzinfo=UTC), "Europe/Berlin", True),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), "America/Los_Angeles", True),  # began at midnight there
        (datetime(2026, 3, 2, 7, 30, tzinfo=UTC), "America/Los_Angeles", False),  # yesterday still
    ],
)
def test_today_is_the_day_of_the_courses_clock(
    database: Database, meeting: int, now: datetime, zone: str, found: bool
) -> None:
    with database.writing() as writing:
        make_course(writing, COURSE, zone)
    with database.reading() as reading:
        assert [line.id for line in sessions_today(reading, now)] == ([meeting] if found else [])


def test_an_instructor_sees_their_own_courses_only(
    browser: Browser, database: Database, meeting: int
) -> None:
    begin(database, "Series", 5, Seen(1, {"a": 1}))
    browser.sign_in(OTHER_INSTRUCTOR)
    for path in ("/today", "/today/live.json"):
        page = browser.get(path).text
        assert "Series" not in page
        assert "Limits" not in page
    assert "No session runs at this moment." in browser.get("/today").text
    assert "Nothing is in doubt." in browser.get("/today").text


def test_open_reviews_are_counted_by_session(browser: Browser, database: Database, meeting: int) -> None:
    class_of_sixteen(database)
    browser.sign_in(STAFF)
    browser.get("/sessions/2")
    page = text_of(browser.get("/today"))
    assert "3 doubts to settle" in page
    assert "Limits MATH-101 · Mon 2 Mar 2026 1 open" in page
    assert "Week 3: limits and continuity MATH-101 · Mon 2 Mar 2026 2 open" in page


def absent(database: Database, number: str, sessions: int) -> None:
    """So many more sessions, at all of which a student is absent and everybody else present."""
    with database.writing() as writing:
        course = make_course(writing, COURSE)
        for week in range(sessions):
            row = start_session(writing, COURSE, "Past", datetime(2026, 4, 1 + week, tzinfo=UTC), 45)
            for student in writing.scalars(select(Student)):
                word = "absent" if student.student_no == number else "present"
                writing.add(
                    AttendanceRow(
                        session_id=row.id, student_id=student.id, status=word, machine_status=word,
                        minutes=0.0, source="system", version=1,
                    )
                )  # fmt: skip
        course.attendance_limit = 0.75


def test_who_attended_less_than_the_course_expects_is_listed(
    browser: Browser, database: Database, meeting: int
) -> None:
    absent(database, "S-2", 3)
    begin(database, "Runs still", 5)
    for email in (INSTRUCTOR, ADMIN):
        browser.sign_in(email)
        page = text_of(browser.get("/today"))
        assert re.search(r"Ben Brown (S-2 )?MATH-101 · 1 of 4 sessions 25 % , 75 % is expected", page)
        assert "Ada Adams" not in page
        browser.sign_out("/today")
    browser.sign_in(OTHER_INSTRUCTOR)
    assert "Nobody is below the share" in browser.get("/today").text


def test_who_left_the_roster_is_not_listed(
    browser: Browser, app: Flask, database: Database, meeting: int
) -> None:
    absent(database, "S-2", 3)
    with database.writing() as writing:
        writing.connection().exec_driver_sql("DELETE FROM enrolments WHERE student_id = 2")
    browser.sign_in(INSTRUCTOR)
    assert "Nobody is below the share" in browser.get("/today").text


@pytest.mark.parametrize("email", [INSTRUCTOR, ADMIN])
def test_many_who_left_the_roster_hide_nobody(
    browser: Browser, database: Database, meeting: int, email: str
) -> None:
    with database.writing() as writing:
        for number in range(50):
            writing.add(Student(student_no=f"L-{number}", name=f"Leaver {number}", email=""))
    absent(database, "S-2", 0)
    with database.writing() as writing:
        row = start_session(writing, COURSE, "Past", datetime(2026, 4, 1, tzinfo=UTC), 45)
        second = start_session(writing, COURSE, "Past", datetime(2026, 4, 2, tzinfo=UTC), 45)
        for student in writing.scalars(select(Student)):
            for held in (row.id, second.id):
                word = "present" if student.student_no == "S-1" else "absent"
                writing.add(
                    AttendanceRow(
                        session_id=held, student_id=student.id, status=word, machine_status=word,
                        minutes=0.0, source="system", version=1,
                    )
                )  # fmt: skip
    browser.sign_in(email)
    page = text_of(browser.get("/today"))
    assert "Ben Brown" in page
    assert "Leaver" not in page
    assert "are shown, those furthest below first" not in page


def test_an_empty_installation_says_what_comes_first(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        add_accounts(writing)
        courses = course_ids_of(
            writing, writing.scalars(select(User.id).where(User.email == INSTRUCTOR)).one()
        )
        assert courses
    browser.sign_in(ADMIN)
    page = text_of(browser.get("/today"))
    assert "First steps" in page
    assert "gridroll roster import COURSE roster.csv" in page
    assert "done" not in page
    begin(database, "Empty", 5)
    assert "Start a session done" in text_of(browser.get("/today"))


def test_after_the_first_look_there_are_no_first_steps(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    assert "First steps" not in browser.get("/today").text


def test_an_open_page_gets_its_parts_again_only_when_they_changed(
    browser: Browser, database: Database, meeting: int
) -> None:
    running = begin(database, "Series", 10.5, *(Seen(minute, {"a": 1}) for minute in range(11)))
    browser.sign_in(INSTRUCTOR)
    first = browser.get("/today/live.json")
    assert set(first.get_json()["parts"]) == {"running", "sessions", "open"}
    headers = {"If-None-Match": first.headers["ETag"]}
    assert browser.client.get("/today/live.json", headers=headers).status_code == 304
    with database.writing() as writing:
        writing.execute(update(SessionRow).where(SessionRow.id == running).values(title="Sequences"))
    assert "Sequences" in browser.client.get("/today/live.json", headers=headers).text


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    long_ago = datetime.now(UTC) - timedelta(minutes=90)

    def last_used() -> datetime:
        with database.reading() as reading:
            return reading.scalars(select(SignIn.last_used_at)).one()

    with database.writing() as writing:
        writing.execute(update(SignIn).values(last_used_at=long_ago))
    for path in ("/today/live.json", f"/sessions/{meeting}/live.json", f"/sessions/{meeting}/looks.json"):
        assert browser.get(path).status_code == 200
    assert last_used() == long_ago
    browser.get("/today")
    assert last_used() > long_ago


@pytest.mark.parametrize("email", [INSTRUCTOR, ADMIN])
def test_today_asks_the_database_no_more_than_twelve_times_however_much_there_is(
    browser: Browser, database: Database, meeting: int, email: str
) -> None:
    browser.sign_in(email)
    asked = []
    for _ in range(2):
        begin(database, "Series", 5, Seen(1, {"a": 1}), Seen(2, {"a": 1, "x": None}))
        absent(database, "S-2", 2)
        browser.get("/today")
        with counting(database) as sent:
            assert browser.get("/today").status_code == 200
        asked.append(len(sent))
    assert asked[0] == asked[1] <= MOST
    with database.reading() as reading:
        assert reading.scalars(select(Course.attendance_limit).where(Course.code == COURSE)).one() == 0.75
