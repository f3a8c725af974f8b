"""Courses, their settings, timetables and sessions to come, as staff see and change them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from db.accounts import add_user, find_user
from db.agenda import coming_sessions
from db.courses import CourseDetails, add_course
from db.database import Database
from db.instructors import add_instructor, instructors_of
from db.people import PAGE_WORDS, enrol, find_course
from db.schema import AuditRow, Course, SessionRow
from db.sessions import start_session
from db.timetable import NewSlot, add_slot, slots_of
from portal.desk import Desk, desk_of, put_desk
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_COURSE,
    OTHER_INSTRUCTOR,
    PASSWORD_HASH,
    STAFF,
    roster_line,
)
from tests.portal.conftest import Browser
from tests.portal.statements import counting

NOW = datetime(2026, 10, 19, 6, 0, tzinfo=UTC)
"""A Monday, eight o'clock in Berlin; clocks are set back on the Sunday after."""

SLOT = {
    "weekday": "1",
    "begins": "09:15",
    "minutes": "90",
    "from_on": "2026-09-01",
    "until_on": "2027-02-12",
    "title": "Cells",
}


@pytest.fixture(autouse=True)
def _now(app: Flask, meeting: int) -> None:
    del meeting
    held = desk_of(app)
    put_desk(app, Desk(held.settings, held.database, held.backroom, held.cache, lambda: NOW))


def send(browser: Browser, path: str, fields: Mapping[str, str], page: str | None = None) -> Any:
    form = {"csrf_token": browser.token(page or path), **fields}
    return browser.client.post(path, data=form, buffered=True)


def hidden(browser: Browser, path: str, name: str = "mark") -> str:
    return browser.get(path).text.split(f'name="{name}" value="')[1].split('"')[0]


def actions(database: Database) -> list[tuple[str, str]]:
    with database.reading() as reading:
        rows = reading.execute(select(AuditRow.actor, AuditRow.action).order_by(AuditRow.seq))
        return [(row.actor, row.action) for row in rows]


def course(database: Database, code: str = COURSE) -> Course:
    with database.reading() as reading:
        return find_course(reading, code)


def coming(database: Database, code: str = COURSE) -> list[str]:
    with database.reading() as reading:
        lines = coming_sessions(reading, find_course(reading, code).id, NOW, 100)
        return [f"{line.starts_at:%m-%d %H:%M} {line.title}" for line in lines]


def test_instructors_see_their_own_courses_and_staff_all(browser: Browser) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get("/courses").text
    assert f"/courses/{COURSE}" in page
    assert OTHER_COURSE not in page
    assert "Make a course" not in page
    browser.sign_out("/courses")
    browser.sign_in(STAFF)
    page = browser.get("/courses").text
    assert COURSE in page
    assert OTHER_COURSE in page
    assert "Make a course" in page


def test_an_instructor_without_a_course_is_told_who_gives_them_one(
    browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        add_user(writing, "new@example.edu", "instructor", PASSWORD_HASH)
    browser.sign_in("new@example.edu")
    assert "The office makes you the instructor of one." in browser.get("/courses").text


def test_the_office_makes_a_course_and_comes_to_its_roster(browser: Browser, database: Database) -> None:
    browser.sign_in(STAFF)
    fields = {"code": "CS/101 ä", "title": "  Programming  I ", "time_zone": "Asia/Tokyo", "limit": "75"}
    answer = send(browser, "/courses", fields)
    assert answer.status_code == 302
    assert answer.location == "/courses/CS/101%20%C3%A4/roster"
    assert "Nobody is on the roster yet." in browser.get(answer.location).text
    assert "Programming I" in browser.get("/courses/CS/101 ä").text
    made = course(database, "CS/101 ä")
    assert (made.title, made.time_zone, made.attendance_limit) == ("Programming I", "Asia/Tokyo", 0.75)
    again = send(browser, "/courses", fields)
    assert again.status_code == 400
    assert "There is a course CS/101 ä already" in again.text


def test_no_course_is_called_as_what_follows_a_code_in_an_address(app: Flask) -> None:
    rules = [rule.rule.partition("<course:code>/")[2] for rule in app.url_map.iter_rules()]
    assert {rule.partition("/")[0] for rule in rules if rule} == PAGE_WORDS


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": "", "time_zone": "UTC"}, "must have 1 to 64 characters"),
        ({"code": "B" * 65, "time_zone": "UTC"}, "must have 1 to 64 characters"),
        ({"code": "/BIO", "time_zone": "UTC"}, "holds what no address can name"),
        ({"code": "BIO/../x", "time_zone": "UTC"}, "holds what no address can name"),
        ({"code": "BIO-101/plan", "time_zone": "UTC"}, "would be the address of a page, plan"),
        ({"code": "CS/roster/7", "time_zone": "UTC"}, "would be the address of a page, roster"),
        ({"code": "BIO", "time_zone": "Mars/Olympus"}, "Time zone &#39;Mars/Olympus&#39; is not known"),
        ({"code": "BIO", "time_zone": "../../etc/passwd"}, "is not known; write e.g. Europe/Berlin"),
        ({"code": "BIO", "time_zone": "UTC", "limit": "many"}, "is no attendance limit in percent"),
        ({"code": "BIO", "time_zone": "UTC", "limit": "0"}, "give 1 to 100 %"),
        ({"code": "BIO", "time_zone": "UTC", "title": "t" * 201}, "201 characters"),
        ({"code": "BIO", "time_zone": "UTC", "limit": "nan"}, "is no attendance limit in percent"),
    ],
)
def test_a_course_that_cannot_be_is_said_and_what_was_typed_stays(
    browser: Browser, fields: dict[str, str], said: str
) -> None:
    browser.sign_in(STAFF)
    answer = send(browser, "/courses", {"title": "Biology", **fields})
    assert answer.status_code == 400
    assert said in answer.text
    assert f'value="{fields.get("title", "Biology")}"' in answer.text


def test_the_page_of_a_course_says_what_it_is_and_what_comes(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        add_slot(
            writing,
            find_course(writing, COURSE),
            NewSlot(1, "09:15", 90, "2026-09-01", "2027-02-12"),
            "x",
            NOW,
        )
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/courses/{COURSE}").text
    assert "Tue 20 Oct 2026" in page
    assert "09:15–10:45 CEST" in page  # in summer, and
    assert "09:15–10:45 CET" in page  # a week later, in winter
    assert "Mon 2 Mar 2026" in page
    assert INSTRUCTOR in page
    assert "after 10 minutes" in page


def test_a_course_nobody_knows_is_a_page_that_says_so(browser: Browser) -> None:
    browser.sign_in(ADMIN)
    for code in ("BIO", "B" * 64, "B" * 65, "a/b/c"):
        for page in ("", "/settings", "/timetable", "/roster", "/plan", "/timetable/1"):
            assert browser.get(f"/courses/{code}{page}").status_code == 404


def test_students_below_the_limit_are_counted(browser: Browser, database: Database) -> None:
    browser.sign_in(STAFF)
    page = f"/courses/{COURSE}/settings"
    fields = {"title": "", "time_zone": "Europe/Berlin", "limit": "80", "mark": hidden(browser, page)}
    assert send(browser, f"/courses/{COURSE}/details", fields, page).status_code == 302
    assert "None below the limit of 80 %" in browser.get(f"/courses/{COURSE}").text
    with database.writing() as writing:
        for row in writing.scalars(select(SessionRow)):
            assert row.ends_at < NOW
    assert "100 %" in browser.get(f"/courses/{COURSE}/roster").text


def test_two_who_change_a_course_at_once_lose_nothing(browser: Browser, database: Database) -> None:
    browser.sign_in(STAFF)
    page = f"/courses/{COURSE}/settings"
    mark = hidden(browser, page)
    first = {"title": "Analysis", "time_zone": "Europe/Berlin", "limit": "80", "mark": mark}
    assert send(browser, f"/courses/{COURSE}/details", first, page).status_code == 302
    assert send(browser, f"/courses/{COURSE}/details", first, page).status_code == 302  # sent twice
    second = {"title": "Calculus", "time_zone": "Europe/Berlin", "limit": "", "mark": mark}
    answer = send(browser, f"/courses/{COURSE}/details", second, page)
    assert answer.status_code == 409
    assert "Somebody else was faster" in answer.text
    assert "Now it is: Analysis; Europe/Berlin; limit 80 %." in answer.text
    assert 'value="Calculus"' in answer.text
    new = answer.text.split('name="mark" value="')[1].split('"')[0]
    assert send(browser, f"/courses/{COURSE}/details", {**second, "mark": new}, page).status_code == 302
    assert course(database).title == "Calculus"
    assert actions(database).count((STAFF, "course.changed")) == 2


def test_an_instructor_changes_the_rules_and_says_why(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"/courses/{COURSE}/settings"
    assert "Save the course" not in browser.get(page).text
    fields = {
        "late_after": "7,5",
        "left_early": "10",
        "min_presence": "12.5 %",
        "reason": "as of today",
        "mark": hidden(browser, page),
    }
    refused = send(browser, f"/courses/{COURSE}/rules", {**fields, "reason": " "}, page)
    assert refused.status_code == 400
    assert "Other rules need a reason" in refused.text
    assert 'value="7,5"' in refused.text
    assert send(browser, f"/courses/{COURSE}/rules", {**fields, "past": "yes"}, page).status_code == 302
    held = course(database)
    assert (held.late_after_s, held.left_early_s, held.min_presence) == (450, 600, 0.125)
    assert (INSTRUCTOR, "course.changed") in actions(database)
    stale = send(browser, f"/courses/{COURSE}/rules", {**fields, "late_after": "9"}, page)
    assert stale.status_code == 409
    assert "Now it is: late after 7.5 minutes" in stale.text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("late_after", "soon", "no number of minutes for late"),
        ("late_after", "nan", "no number of minutes for late"),
        ("left_early", "-1", "no number of minutes for left early"),
        ("left_early", "1441", "give 0 to 1440"),
        ("min_presence", "101", "give 0 to 100"),
        ("reason", "w" * 2001, "at most 2000 fit"),
    ],
)
def test_rules_that_cannot_be_are_said(browser: Browser, field: str, value: str, said: str) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"/courses/{COURSE}/settings"
    fields = {"late_after": "5", "left_early": "10", "min_presence": "10", "reason": "new", field: value}
    answer = send(browser, f"/courses/{COURSE}/rules", {**fields, "mark": hidden(browser, page)}, page)
    assert answer.status_code == 400
    assert said in answer.text


def test_the_office_gives_a_course_to_an_instructor_and_takes_it_back(
    browser: Browser, database: Database
) -> None:
    browser.sign_in(STAFF)
    page, place = f"/courses/{COURSE}/settings", f"/courses/{COURSE}/instructors"
    for email, said in (("who@example.edu", "there is no account"), (ADMIN, "only an instructor")):
        answer = send(browser, place, {"email": email}, page)
        assert answer.status_code == 400
        assert said in answer.text.replace("There is", "there is")
    assert send(browser, place, {"email": OTHER_INSTRUCTOR.upper()}, page).status_code == 302
    with database.reading() as reading:
        found = instructors_of(reading, find_course(reading, COURSE).id)
        assert [user.email for user in found] == [INSTRUCTOR, OTHER_INSTRUCTOR]
    assert send(browser, f"{place}/remove", {"email": OTHER_INSTRUCTOR}, page).status_code == 302
    assert actions(database)[-2:] == [(STAFF, "instructor.added"), (STAFF, "instructor.removed")]


def test_a_slot_plans_its_sessions_and_is_changed_and_removed(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"/courses/{COURSE}/timetable"
    assert send(browser, page, SLOT).status_code == 302
    assert coming(database) == ["10-20 07:15 Cells", "10-27 08:15 Cells"]
    assert send(browser, page, SLOT).status_code == 302  # sent twice
    with database.reading() as reading:
        slots = slots_of(reading, find_course(reading, COURSE).id)
    assert len(slots) == 2  # with the one of the cast
    slot = f"{page}/{slots[-1].id}"
    assert "Tuesday, 09:15" in browser.get(slot).text
    stale = hidden(browser, slot)
    assert send(browser, slot, {**SLOT, "begins": "10:00", "mark": stale}).status_code == 302
    assert coming(database) == ["10-20 08:00 Cells", "10-27 09:00 Cells"]
    conflict = send(browser, slot, {**SLOT, "begins": "11:00", "mark": stale})
    assert conflict.status_code == 409
    assert "Now it is: Tuesday, 10:00" in conflict.text
    assert 'value="11:00"' in conflict.text
    removed = send(browser, f"{slot}/remove", {}, slot)
    assert removed.status_code == 302
    assert "2 sessions to come with it" in browser.get(removed.location).text
    assert coming(database) == []
    assert send(browser, f"{slot}/remove", {}, page).status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("weekday", "7", "Choose the day of the week"),
        ("weekday", "", "Choose the day of the week"),
        ("begins", "nine", "is no time of day"),
        ("minutes", "1,5", "is no whole number of minutes"),
        ("minutes", "0", "give 1 to 1440"),
        ("from_on", "tomorrow", "is no date"),
        ("until_on", "2026-08-31", "is before the first"),
        ("title", "t" * 201, "at most 200 fit"),
    ],
)
def test_a_slot_that_cannot_be_is_said_and_what_was_typed_stays(
    browser: Browser, field: str, value: str, said: str
) -> None:
    browser.sign_in(INSTRUCTOR)
    answer = send(browser, f"/courses/{COURSE}/timetable", SLOT | {field: value})
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="2027-02-12"' in answer.text or field == "until_on"


def test_a_slot_of_another_course_is_nowhere_in_this_one(browser: Browser) -> None:
    browser.sign_in(OTHER_INSTRUCTOR)
    assert browser.get(f"/courses/{OTHER_COURSE}/timetable/1").status_code == 404
    page = f"/courses/{OTHER_COURSE}/timetable"
    assert send(browser, f"{page}/1", SLOT, page).status_code == 404
    assert send(browser, f"{page}/1/remove", {}, page).status_code == 404


def test_a_session_is_planned_moved_and_removed_by_hand(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"/courses/{COURSE}/plan"
    fields = {"title": " A  film ", "day": "2026-10-26", "begins": "18:00", "minutes": "45"}
    assert send(browser, page, fields).status_code == 302
    assert send(browser, page, fields).status_code == 302  # sent twice
    assert coming(database) == ["10-26 17:00 A film"]
    with database.reading() as reading:
        planned = reading.scalars(select(SessionRow.id).order_by(SessionRow.id.desc())).first()
    place = f"/sessions/{planned}/plan"
    mark = hidden(browser, place)
    moved = {**fields, "title": "A film", "begins": "19:00", "mark": mark}
    assert send(browser, place, moved).status_code == 302
    conflict = send(browser, place, {**moved, "begins": "20:00"})
    assert conflict.status_code == 409
    assert "19:00–19:45 CET" in conflict.text
    assert 'value="20:00"' in conflict.text
    assert send(browser, f"/sessions/{planned}/remove", {"reason": "ill"}, place).status_code == 302
    assert coming(database) == []
    assert actions(database)[-1] == (INSTRUCTOR, "session.removed")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("day", "2026-02-30", "is no date"),
        ("day", "0001-01-01", "cannot be"),
        ("day", "2026-10-18", "would be over already"),
        ("begins", "09:15+02:00", "names an offset"),
        ("begins", "", "is no time of day"),
        ("minutes", "1441", "give 1 to 1440"),
    ],
)
def test_a_session_that_cannot_be_is_said(browser: Browser, field: str, value: str, said: str) -> None:
    browser.sign_in(INSTRUCTOR)
    fields = {"title": "A film", "day": "2026-10-26", "begins": "18:00", "minutes": "45", field: value}
    answer = send(browser, f"/courses/{COURSE}/plan", fields)
    assert answer.status_code == 400
    assert said in answer.text
    assert 'value="A film"' in answer.text


def test_a_time_that_clocks_skip_is_refused_for_a_single_session(browser: Browser) -> None:
    browser.sign_in(INSTRUCTOR)
    fields = {"title": "", "day": "2027-03-28", "begins": "02:30", "minutes": "45"}
    answer = send(browser, f"/courses/{COURSE}/plan", fields)
    assert answer.status_code == 400
    assert "are set forward over 02:30" in answer.text


def test_a_session_of_the_past_is_neither_moved_nor_removed(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{meeting}/plan").text
    assert "The session has begun" in page
    assert "Remove the session" not in page
    assert send(browser, f"/sessions/{meeting}/remove", {}, "/courses").status_code in {400, 404}


PAGES = (
    "/courses",
    "/courses/BIG",
    "/courses/BIG/settings",
    "/courses/BIG/timetable",
    "/courses/BIG/plan",
    "/courses/BIG/roster",
    "/courses/BIG/roster?page=2",
    "/calendar",
)


@pytest.mark.parametrize("email", [INSTRUCTOR, STAFF])
def test_no_page_asks_more_than_twelve_times_however_much_there_is(
    browser: Browser, database: Database, email: str
) -> None:
    lines = [roster_line(f"B-{n}", f"Student {n}", f"b{n}@example.edu") for n in range(300)]
    with database.writing() as writing:
        for code in ["BIG", *(f"C-{n}" for n in range(60))]:
            add_course(writing, code, CourseDetails(None, "UTC", 0.8), STAFF)
        big = find_course(writing, "BIG")
        enrol(writing, big, lines)
        for weeks in range(40):
            start_session(writing, "BIG", "", NOW + timedelta(weeks=weeks - 20), 45)
        ines = find_user(writing, INSTRUCTOR)
        assert ines is not None
        add_instructor(writing, big, ines)
    browser.sign_in(email)
    asked = {}
    for page in PAGES:
        with counting(database) as statements:
            assert browser.get(page).status_code == 200
        asked[page] = len(statements)
    assert max(asked.values()) <= 12, asked
