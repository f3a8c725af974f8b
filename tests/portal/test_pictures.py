"""Attendance from one picture: who is recognised, who is not, and that it counts once."""

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from PIL import Image
from sqlalchemy import select

from db.database import Database
from db.errors import DatabaseError
from db.evidence import exhibits_of
from db.face_cache import FaceCache
from db.people import RosterLine, enrol, make_course, record_consent
from db.report import session_report
from db.schema import AuditRow
from db.sessions import start_session
from db.settings import Settings
from portal.app import close_app, create_app
from portal.desk import Desk, desk_of, put_desk
from recognizer.class_picture import in_rows
from recognizer.enrolment import Enrolment
from tests.portal.cast import COURSE, INSTRUCTOR, START, ZONE, add_accounts
from tests.portal.conftest import Browser
from tests.portal.pictures import ANN, BEN, CID, GUEST, class_picture, photo_of, sent


@pytest.fixture
def room(
    settings: Settings, database: Database, cache: FaceCache, compiled_templates: Path
) -> Iterator[Flask]:
    """A portal with a session of Ann, Ben and Cid, of whom Cid has no photograph."""
    app = create_app(settings, database, cache)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(compiled_templates))
    with database.writing() as writing:
        lines = [RosterLine(one.student_no, one.name, one.email, "", "") for one in (ANN, BEN, CID)]
        for student in enrol(writing, make_course(writing, COURSE, ZONE), lines):
            record_consent(writing, student, "form 7")
        start_session(writing, COURSE, "Limits", START, 45)
        add_accounts(writing)
    backroom = desk_of(app).backroom
    enrolment = Enrolment(database, cache, backroom.engine, settings, archive=backroom.archive)
    for person in (ANN, BEN):
        enrolment.add_picture(person.student_no, photo_of(person), "p.jpg", "")
    yield app
    close_app(app)


@pytest.fixture
def browser(room: Flask) -> Browser:
    browser = Browser(room.test_client())
    browser.sign_in(INSTRUCTOR)
    return browser


def hand_in(
    browser: Browser, content: bytes | None, path: str = "/sessions/1/picture", **changes: str
) -> tuple[int, str]:
    page = browser.get(path).text
    fields = dict(re.findall(r'name="(csrf_token|uid|taken)" value="([^"]*)"', page)) | changes
    data = {**fields, "photo": sent(content or b"", "class.jpg" if content else "")}
    answer = browser.client.post(path, data=data)
    return answer.status_code, answer.text


def refusal(text: str) -> str:
    found = re.search(r'class="refused"[^>]*>(.*?)</p>', text, re.DOTALL)
    assert found is not None, text
    return found[1].replace("&#39;", "'")


def test_each_face_gets_its_name_or_is_said_not_to_be_recognised(
    browser: Browser, database: Database
) -> None:
    status, page = hand_in(browser, class_picture([BEN, ANN, GUEST]))
    assert status == 200, refusal(page)
    assert "2 of 3 faces recognised" in page
    assert "2 of 3 students count as present." in page  # of a class that is over
    assert page.index(BEN.name) < page.index(ANN.name) < page.index("Person not recognised")
    assert page.count("<rect") == 3
    assert 'href="data:image/jpeg;base64,' in page
    with database.reading() as reading:
        report = session_report(reading, 1)
        crops = exhibits_of(reading, 1)
        (noted,) = reading.scalars(select(AuditRow).where(AuditRow.action == "picture.taken"))
    assert noted.actor == INSTRUCTOR
    (look,) = report.looks
    assert (look.trigger, look.headcount, look.identified) == ("picture", 3, 2)
    statuses = {line.student_no: line.status for line in report.students}
    assert [statuses[one.student_no] for one in (ANN, BEN)] == ["present", "present"]
    # Nobody could have recognised Cid.
    assert statuses[CID.student_no] == "unverified"
    assert [review.kind for review in report.reviews] == ["unknown_face"]
    assert len(crops) == 3


def test_the_same_form_sent_twice_counts_once(browser: Browser, database: Database) -> None:
    picture = class_picture([ANN, BEN])
    pages = [hand_in(browser, picture, uid="the-same")[1] for _ in range(2)]
    assert all("2 of 2 faces recognised" in page for page in pages)
    with database.reading() as reading:
        assert len(session_report(reading, 1).looks) == 1


def test_who_handed_a_picture_in_is_noted_also_where_the_program_ended_in_between(
    browser: Browser, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise DatabaseError("gone")

    picture = class_picture([ANN])
    monkeypatch.setattr("recognizer.verify.catch_up", end)
    assert hand_in(browser, picture, uid="one")[0] != 200
    monkeypatch.undo()
    status, page = hand_in(browser, picture, uid="one")
    assert status == 200, refusal(page)
    with database.reading() as reading:
        (noted,) = reading.scalars(select(AuditRow).where(AuditRow.action == "picture.taken"))
    assert (noted.actor, noted.subject) == (INSTRUCTOR, "session:1")
    assert '"heads":1' in noted.detail


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        (None, {}, "No picture was chosen"),
        (b"GIF89a", {}, "JPEG, PNG or WebP"),
        (class_picture([ANN])[:-3000], {}, "cut short"),
        (class_picture([ANN]), {"taken": "later"}, "'later' is no time of that day"),
        (class_picture([ANN]), {"taken": "11:30"}, "give a time from 09:00 to 09:45 CET"),
        (class_picture([ANN]), {"uid": ""}, "did not arrive whole"),
    ],
)
def test_what_cannot_be_taken_is_one_line_and_leaves_no_look(
    browser: Browser, database: Database, content: bytes | None, changes: dict[str, str], words: str
) -> None:
    status, page = hand_in(browser, content, **changes)
    assert status == 400
    assert words in refusal(page)
    with database.reading() as reading:
        assert session_report(reading, 1).looks == ()


def plan(room: Flask, now: datetime, starts_at: datetime) -> int:
    """A session of the course, and what time it is in the portal."""
    held = desk_of(room)
    put_desk(room, Desk(held.settings, held.database, held.backroom, held.cache, lambda: now))
    with held.database.writing() as writing:
        return start_session(writing, COURSE, "Series", starts_at, 45).id


@pytest.mark.parametrize("after_s", [86_400, 5])
def test_the_time_that_the_form_proposes_is_taken_also_where_a_class_began_with_seconds(
    room: Flask, browser: Browser, database: Database, after_s: int
) -> None:
    begun = START + timedelta(days=1, seconds=30.5)
    key = plan(room, begun + timedelta(seconds=after_s), begun)
    status, page = hand_in(browser, class_picture([ANN]), f"/sessions/{key}/picture")
    assert status == 200, refusal(page)
    with database.reading() as reading:
        (look,) = session_report(reading, key).looks
    assert look.taken_at == begun


@pytest.mark.parametrize(
    ("minutes", "taken", "line"),
    [
        (10, "09:12", ""),
        (10, "09:13", "09:13 is still to come; give a time from 09:00 to 09:10 CET."),
        (-1, "09:00", "This session has not begun; a picture of it can be taken from 09:00 CET on."),
    ],
)
def test_no_picture_is_of_a_time_to_come(
    room: Flask, browser: Browser, database: Database, minutes: int, taken: str, line: str
) -> None:
    begins = START + timedelta(days=1)
    key = plan(room, begins + timedelta(minutes=minutes), begins)
    status, page = hand_in(browser, class_picture([ANN]), f"/sessions/{key}/picture", taken=taken)
    assert status == (400 if line else 200)
    if line:
        assert refusal(page) == line
    with database.reading() as reading:
        assert len(session_report(reading, key).looks) == (0 if line else 1)


def test_a_picture_of_nobody_marks_nobody_absent(browser: Browser, database: Database) -> None:
    target = io.BytesIO()
    Image.new("RGB", (400, 300), "white").save(target, "JPEG")
    status, page = hand_in(browser, target.getvalue())
    assert status == 400
    assert "No face is found" in refusal(page)
    with database.reading() as reading:
        assert session_report(reading, 1).looks == ()


@pytest.mark.usefixtures("no_cache")
def test_without_the_face_cache_no_picture_is_taken(
    settings: Settings, database: Database, room: Flask
) -> None:
    app = create_app(settings, database)
    browser = Browser(app.test_client())
    browser.sign_in(INSTRUCTOR)
    status, page = hand_in(browser, class_picture([ANN]))
    assert status == 503
    assert "face cache, which could not be opened" in refusal(page)
    with database.reading() as reading:
        assert session_report(reading, 1).looks == ()
    close_app(app)


def test_a_face_cache_that_can_be_opened_by_now_is(
    settings: Settings, database: Database, room: Flask
) -> None:
    app = create_app(settings, database)
    browser = Browser(app.test_client())
    browser.sign_in(INSTRUCTOR)
    status, page = hand_in(browser, class_picture([ANN]))
    assert (status, ANN.name in page) == (200, True)
    close_app(app)


def test_faces_are_counted_as_people_read() -> None:
    boxes = [(300, 12, 340, 52), (10, 200, 50, 240), (200, 0, 240, 40), (90, 205, 130, 245)]
    assert in_rows(boxes) == [(200, 0, 240, 40), (300, 12, 340, 52), (10, 200, 50, 240), (90, 205, 130, 245)]
