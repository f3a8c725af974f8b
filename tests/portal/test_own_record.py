"""A student's own pages: what they show, whose they are, and how much they ask of the ledger."""

import re
from datetime import date, timedelta
from html import unescape

import cv2
import numpy as np
import pytest
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.edits import NewEdit
from db.entries import save_entry
from db.evidence import Archive
from db.judgements import NewJudgement, record_judgement
from db.ledger import catch_up
from db.own_record import OwnCourse, OwnMark, Tally
from db.people import make_course
from db.schema import AttendanceRow, Course, Enrolment, ReviewRow, Student
from db.sessions import start_session
from portal.desk import desk_of
from portal.own.calendar import WEEKS, draw_term, term_of
from tests.portal.cast import ADMIN, COURSE, START, STUDENT_A, STUDENT_B, ZONE, Seen, record
from tests.portal.conftest import Browser
from tests.portal.crops import keep_crop
from tests.portal.statements import MOST, counting

JPEG = cv2.imencode(".jpg", np.full((40, 40, 3), 90, np.uint8))[1].tobytes()


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def archive(app: Flask) -> Archive:
    return desk_of(app).backroom.archive


def ids(database: Database) -> tuple[int, int]:
    with database.reading() as reading:
        ada, ben = (
            reading.scalars(select(Student.id).where(Student.student_no == number)).one()
            for number in ("S-1", "S-2")
        )
    return ada, ben


def hold(database: Database, count: int, seen: bool = True) -> list[int]:
    """Further sessions, a week apart, at which Ada was or was not seen."""
    ada, ben = ids(database)
    with database.writing() as writing:
        found = []
        for week in range(1, count + 1):
            row = start_session(writing, COURSE, f"Week {week}", START + timedelta(weeks=week), 45)
            heads = {"t1": ada, "t2": ben} if seen else {"t2": ben}
            record(writing, row, [Seen(minute, heads) for minute in (0, 20, 44)])
            found.append(row.id)
    return found


def judge(database: Database, session_id: int, track: str, verdict: str, student_id: int | None) -> None:
    with database.writing() as writing:
        record_judgement(
            writing,
            NewJudgement(
                session_id,
                track,
                "low_similarity",
                verdict,
                student_id,
                "",
                None,
                ADMIN,
                START,
                "",
                None,
                START,
            ),
        )


def test_each_course_says_how_often_one_came_and_what_is_missing_to_its_limit(
    browser: Browser, database: Database, meeting: int
) -> None:
    hold(database, 2, seen=False)
    with database.writing() as writing:
        writing.scalars(select(Course).where(Course.code == COURSE)).one().attendance_limit = 0.5
    browser.sign_in(STUDENT_A)
    page = text_of(browser.get("/me").text)
    assert "33 % attended: 1 of 3 sessions" in page
    assert (
        "Below the 50 % that this course expects. Come to the next session and you are there again." in page
    )
    browser.sign_out("/me")
    browser.sign_in(STUDENT_B)
    page = text_of(browser.get("/me").text)
    assert "100 % attended: 3 of 3 sessions" in page
    assert "Below" not in page


@pytest.mark.parametrize(
    ("attended", "counted", "limit", "needed"),
    [(1, 3, 0.5, 1), (0, 4, 0.75, 12), (3, 4, 0.75, 0), (0, 0, 0.75, 0), (3, 4, 1.0, None), (27, 36, 0.8, 9)],
)
def test_how_many_sessions_in_a_row_lead_back_to_the_limit(
    attended: int, counted: int, limit: float, needed: int | None
) -> None:
    assert Tally(attended, counted).needed(limit) == needed


def test_a_share_that_is_just_the_limit_is_not_below_it() -> None:
    assert not Tally(3, 4).is_below(0.75)
    assert not Tally(0, 0).is_below(0.75)
    assert not Tally(1, 4).is_below(None)
    assert Tally(74, 100).is_below(0.75)


def test_long_records_come_in_pages_and_by_course(browser: Browser, database: Database, meeting: int) -> None:
    hold(database, 30)
    browser.sign_in(STUDENT_A)
    first, second = browser.get("/me").text, browser.get("/me?page=2").text
    assert "Page 1 of 2, 31 sessions" in text_of(first)
    assert "Week 30" in first
    assert "Week 1<" not in first
    assert "Week 1<" in second
    for asked in ("page=0", "page=-1", "page=x", "page=99999999999999999999", "page=²"):
        assert browser.get(f"/me?{asked}").status_code == 200
    assert "No session of NONE" in text_of(browser.get("/me?course=NONE").text)


def test_the_entry_in_a_course_one_has_left_can_be_read_and_contested(
    browser: Browser, database: Database, meeting: int
) -> None:
    ada, _ = ids(database)
    others = hold(database, 1, seen=False)[0]
    with database.writing() as writing:
        writing.delete(writing.scalars(select(Enrolment).where(Enrolment.student_id == ada)).one())
        new = start_session(writing, COURSE, "Afterwards", START + timedelta(weeks=9), 45).id
    browser.sign_in(STUDENT_A)
    assert f"/me/sessions/{meeting}" in browser.get("/me").text
    path = f"/me/sessions/{meeting}"
    fields = {"csrf_token": browser.token(path), "text": "I was there from the beginning"}
    assert browser.client.post(path, data=fields).status_code == 302
    catch_up(database)
    page = text_of(browser.get(path).text)
    assert "I was there from the beginning" in page
    with database.reading() as reading:
        review = reading.scalars(select(ReviewRow).where(ReviewRow.kind == "dispute")).one()
        assert (review.session_id, review.state) == (meeting, "open")
        entries = select(AttendanceRow.id).where(AttendanceRow.student_id == ada)
        held = {one: reading.scalar(entries.where(AttendanceRow.session_id == one)) for one in (others, new)}
    for number, entry in held.items():
        assert browser.get(f"/me/sessions/{number}").status_code == (200 if entry else 404)
    assert held[new] is None


def marks(*spots: tuple[date, str]) -> list[OwnMark]:
    course = OwnCourse(1, "BIO", "", ZONE, None)
    return [
        OwnMark(
            *(number, course, f"Session <{number}>"),
            *(START.replace(year=on.year, month=on.month, day=on.day) + timedelta(hours=number % 3),) * 2,
            word,
        )
        for number, (on, word) in enumerate(spots)
    ]


def test_the_calendar_shows_each_day_in_the_colour_of_what_became_of_it() -> None:
    monday = date(2026, 3, 2)
    term = term_of(marks((monday, "present"), (monday, "absent"), (monday + timedelta(2), "late")))
    assert [(one.on, [mark.status for mark in one.marks]) for one in term.days] == [
        (monday, ["present", "absent"]),
        (date(2026, 3, 4), ["late"]),
    ]
    drawn = draw_term(term)
    assert drawn.count("<title>") == 2
    assert "Mon 2 Mar 2026, 09:00: Session &lt;0&gt; (BIO), present" in drawn
    assert 'aria-label="Calendar of 18 weeks up to 08 Mar 2026: present 1, absent 1, late 1"' in drawn
    assert "<script" not in drawn


def test_the_calendar_turns_its_pages_as_long_as_something_is_there() -> None:
    old, new = date(2025, 9, 1), date(2026, 6, 30)
    newest = term_of(marks((old, "present"), (new, "present")))
    assert newest.later is None
    assert newest.earlier is not None
    before = term_of(marks((old, "present"), (new, "present")), newest.earlier)
    assert before.last == newest.monday - timedelta(days=1)
    assert before.later is not None
    assert term_of(marks((old, "present"), (new, "present")), before.later).monday == newest.monday
    assert (newest.last - newest.monday).days + 1 == WEEKS * 7


@pytest.mark.parametrize("until", ["2026-03-02", "x", "0001-01-01", "9999-12-31", "2026-02-30", "%00"])
def test_any_day_may_be_asked_of_the_calendar(browser: Browser, meeting: int, until: str) -> None:
    browser.sign_in(STUDENT_A)
    assert browser.get(f"/me?until={until}").status_code == 200


def test_the_page_of_a_session_says_when_one_was_seen_and_what_staff_changed_but_not_why(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        save_entry(
            writing,
            NewEdit(meeting, "S-2", "secret reason", ADMIN, status="excused", remark="secret remark"),
        )
        save_entry(
            writing, NewEdit(meeting, "S-2", "secret", ADMIN, status="excused", remark="another secret")
        )
    browser.sign_in(STUDENT_B)
    page = text_of(browser.get(f"/me/sessions/{meeting}").text)
    assert "09:06:00 to 09:24:00" in page
    assert page.count("Excused") == 2  # the entry, and one edit that changed it
    for hidden in ("secret", ADMIN, "Ada"):
        assert hidden not in page


@pytest.fixture
def crops(database: Database, archive: Archive, meeting: int) -> tuple[int, int]:
    """Ada's and Ben's."""
    ada = keep_crop(database, archive, meeting, "t1", JPEG)
    return ada, keep_crop(database, archive, meeting, "t2", JPEG[:-2] + b"\xff\xd9\x00", 3)


def test_a_student_sees_their_own_pictures_with_score_and_threshold(
    browser: Browser, meeting: int, crops: tuple[int, int]
) -> None:
    browser.sign_in(STUDENT_A)
    page = browser.get(f"/me/sessions/{meeting}").text
    assert "97.0 % alike; 90.0 % is enough" in text_of(page)
    assert re.findall(r"/me/evidence/(\d+).jpg", page) == [str(crops[0])]
    answer = browser.get(f"/me/evidence/{crops[0]}.jpg")
    assert (answer.mimetype, answer.data) == ("image/jpeg", JPEG)
    assert answer.headers["Cache-Control"] == "no-store"


def test_anybody_elses_picture_is_as_unknown_as_one_that_never_was(
    browser: Browser, database: Database, meeting: int, crops: tuple[int, int]
) -> None:
    with database.writing() as writing:  # of a course that neither is on
        make_course(writing, "SECRET", ZONE)
        foreign = start_session(writing, "SECRET", "Hidden", START, 45).id
    browser.sign_in(STUDENT_B)
    refused = [
        f"/me/evidence/{crops[0]}.jpg",
        "/me/evidence/999.jpg",
        f"/me/sessions/{foreign}",
        "/me/sessions/999",
    ]
    assert {browser.get(path).status_code for path in refused} == {404}
    assert len({browser.plain(path) for path in refused}) == 1


@pytest.mark.parametrize(
    ("verdict", "whose", "ada_sees", "ben_sees"),
    [
        ("is_student", "ben", False, True),
        ("is_student", "ada", True, False),
        ("not_student", "ada", False, False),
        ("not_student", "ben", True, False),
        ("guest", None, False, False),
        ("dismissed", "ada", True, False),
    ],
)
def test_what_staff_said_of_a_face_decides_whose_picture_it_is(
    browser: Browser,
    database: Database,
    meeting: int,
    crops: tuple[int, int],
    verdict: str,
    whose: str | None,
    ada_sees: bool,
    ben_sees: bool,
) -> None:
    ada, ben = ids(database)
    judge(database, meeting, "t1", verdict, {"ada": ada, "ben": ben, None: None}[whose])
    found = {}
    for email in (STUDENT_A, STUDENT_B):
        browser.sign_in(email)
        found[email] = browser.get(f"/me/evidence/{crops[0]}.jpg").status_code == 200
        browser.sign_out("/me")
    assert found == {STUDENT_A: ada_sees, STUDENT_B: ben_sees}


def test_a_face_that_only_staff_named_is_shown_without_a_score(
    browser: Browser, database: Database, archive: Archive, meeting: int
) -> None:
    ada, _ = ids(database)
    keep_crop(database, archive, meeting, "t3", JPEG, -1)
    judge(database, meeting, "t3", "is_student", ada)
    browser.sign_in(STUDENT_A)
    page = text_of(browser.get(f"/me/sessions/{meeting}").text)
    assert "Staff said that it is you" in page
    assert "alike" not in page


def test_a_session_without_an_entry_of_ones_own_is_not_there(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        planned = start_session(writing, COURSE, "Next week", START + timedelta(weeks=40), 45).id
    browser.sign_in(STUDENT_A)
    assert browser.get(f"/me/sessions/{planned}").status_code == 404


@pytest.fixture
def busy(browser: Browser, database: Database, archive: Archive, meeting: int) -> int:
    """A session with everything in it, after a year of others; Ada is signed in."""
    hold(database, 40)
    ada, _ = ids(database)
    for look in range(5):
        keep_crop(database, archive, meeting, "t1", JPEG[:-2] + bytes([look]), look)
    judge(database, meeting, "t1", "is_student", ada)
    with database.writing() as writing:
        save_entry(writing, NewEdit(meeting, "S-1", "x", ADMIN, status="late"))
    browser.sign_in(STUDENT_A)
    browser.client.post(
        f"/me/sessions/{meeting}",
        data={"csrf_token": browser.token(f"/me/sessions/{meeting}"), "text": "No."},
    )
    catch_up(database)
    return meeting


@pytest.mark.parametrize("path", ["/me", "/me?page=2", "/me/sessions/{}", "/me/data"])
def test_no_page_asks_the_ledger_more_than_twelve_times(
    browser: Browser, database: Database, busy: int, path: str
) -> None:
    with counting(database) as statements:
        assert browser.get(path.format(busy)).status_code == 200
    assert len(statements) <= MOST, "\n".join(statements)
