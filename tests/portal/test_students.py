"""Students in the portal: who is listed, their page, registration, photographs, consent and removal."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.database import Database
from db.face_cache import FaceCache
from db.people import cached_faces, consented, enrol, find_student, indexed_faces, make_course
from db.photos import photos_of
from db.schema import AttendanceRow, AuditRow, Course, Enrolment, Student
from db.sessions import start_session
from portal.desk import desk_of, put_desk
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, OTHER_COURSE, OTHER_INSTRUCTOR, STAFF, roster_line
from tests.portal.conftest import Browser
from tests.portal.pictures import ANN, BEN, CID, photo_of, sent
from tests.portal.statements import MOST, counting

pytestmark = pytest.mark.usefixtures("meeting")


@pytest.fixture
def staff(browser: Browser) -> Browser:
    browser.sign_in(STAFF)
    return browser


def register(browser: Browser, **changes: object) -> tuple[int, str]:
    """Send the registration form; returns the status, and the page that follows."""
    filled: dict[str, object] = {
        "student_no": "S-9",
        "name": "Nina  Novak",
        "email": "Nina@example.edu",
        "course": COURSE,
    }
    filled |= {"consent": "form 7", "csrf_token": browser.token("/registration")} | changes
    answer = browser.client.post("/registration", data=filled, follow_redirects=True)
    return answer.status_code, answer.text


def post(browser: Browser, path: str, **fields: object) -> tuple[int, str]:
    data = {"csrf_token": browser.token("/students/S-9"), **fields}
    answer = browser.client.post(path, data=data, follow_redirects=True)
    return answer.status_code, answer.text


def photo_ids(database: Database, number: str = "S-9") -> list[int]:
    with database.reading() as reading:
        student_id = find_student(reading, number).id
        return [photo.id for photo in photos_of(reading, [student_id]).get(student_id, [])]


def add_sessions(writing: Session, course: Course, count: int, status: str) -> None:
    """Sessions of the year before, with entries of Ada."""
    begin = datetime(2025, 1, 6, 8, tzinfo=UTC)
    ada = find_student(writing, "S-1")
    for day in range(count):
        row = start_session(writing, course.code, f"Class {day}", begin + timedelta(days=day), 45)
        entry = AttendanceRow(session_id=row.id, student_id=ada.id, status=status, source="system")
        entry.minutes, entry.version = 45.0, 1
        writing.add(entry)


def refusal(text: str) -> str:
    found = re.search(r'class="refused"[^>]*>(.*?)</p>', text, re.DOTALL)
    assert found is not None, text
    return found[1]


# ------------------------------------------------------------------- lists


def test_the_list_says_who_there_is_and_what_they_lack(staff: Browser) -> None:
    page = staff.get("/students").text
    assert "2 students" in page
    assert page.index("Ada Adams") < page.index("Ben Brown")
    assert "Not indexed" not in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ADA", {"Ada Adams"}),
        ("q=s-2", {"Ben Brown"}),
        ("q=brown ben@", {"Ben Brown"}),
        ("q=ádá", {"Ada Adams"}),
        ("q=nobody", set()),
        ("q=%25", set()),
        (f"course={COURSE}", {"Ada Adams", "Ben Brown"}),
        (f"course={OTHER_COURSE}", set()),
        ("lacks=photo", {"Ada Adams", "Ben Brown"}),
        ("lacks=face", set()),
        ("lacks=consent", {"Ada Adams", "Ben Brown"}),
        ("lacks=nonsense&course=nonsense&page=x", {"Ada Adams", "Ben Brown"}),
        ("page=99", set()),
    ],
)
def test_students_are_found_by_words_course_and_what_they_lack(
    staff: Browser, query: str, names: set[str]
) -> None:
    page = staff.get(f"/students?{query}").text
    assert {name for name in ("Ada Adams", "Ben Brown") if name in page} == names


def test_an_instructor_sees_the_students_of_their_courses_and_nobody_elses(
    app: Flask, database: Database
) -> None:
    with database.writing() as writing:
        enrol(writing, make_course(writing, OTHER_COURSE), [roster_line("S-7", "Gil Green", "")])
    for email, names in ((INSTRUCTOR, {"Ada Adams", "Ben Brown"}), (OTHER_INSTRUCTOR, {"Gil Green"})):
        browser = Browser(app.test_client())
        browser.sign_in(email)
        page = browser.get("/students").text
        assert {name for name in ("Ada Adams", "Ben Brown", "Gil Green") if name in page} == names
        assert "Register a student" not in page


def test_of_a_student_an_instructor_sees_what_is_theirs(app: Flask, database: Database) -> None:
    with database.writing() as writing:
        other = make_course(writing, OTHER_COURSE)
        enrol(writing, other, [roster_line("S-1", "Ada Adams", "ada@example.edu")])
    browser = Browser(app.test_client())
    browser.sign_in(OTHER_INSTRUCTOR)
    page = browser.get("/students/S-1").text
    assert OTHER_COURSE in page
    assert COURSE not in page
    assert "Limits" not in page
    assert "Remove this student" not in page


def test_a_students_page_shows_share_sessions_and_what_is_on_record(staff: Browser) -> None:
    page = staff.get("/students/S-2").text
    assert "1 of 1 session attended" in page
    assert "09:06:00" in page  # in Berlin
    assert "Left early" in page
    assert "None is on record" in page


def test_a_share_below_the_courses_limit_is_marked(staff: Browser, database: Database) -> None:
    with database.writing() as writing:
        course = make_course(writing, COURSE)
        course.attendance_limit = 0.8
        add_sessions(writing, course, 1, "absent")
    assert "Below the limit of 80 %" in staff.get("/students/S-1").text


@pytest.fixture
def crowd(database: Database, meeting: int) -> None:
    """2,000 students, and 400 sessions of Ada's."""
    with database.writing() as writing:
        course = make_course(writing, COURSE)
        writing.add_all(
            Student(student_no=f"X-{number}", name=f"Student {number}", email="") for number in range(2000)
        )
        writing.flush()
        students = writing.scalars(select(Student).where(Student.student_no.startswith("X-"))).all()
        writing.add_all(Enrolment(course_id=course.id, student_id=one.id) for one in students)
        add_sessions(writing, course, 400, "present")


@pytest.mark.usefixtures("crowd")
def test_however_many_there_are_a_page_asks_little(app: Flask, database: Database) -> None:
    paths = (
        "/students",
        "/students?q=student+7&lacks=photo",
        "/students/S-1",
        "/students/S-1?page=3",
        "/faces",
        "/pictures",
    )
    for email in (ADMIN, INSTRUCTOR):
        browser = Browser(app.test_client())
        browser.sign_in(email)
        for path in paths:
            browser.get(path)  # folds what is due
            with counting(database) as said:
                page = browser.get(path)
            assert page.status_code == 200
            assert len(said) <= MOST, "\n\n".join([path, *said])


@pytest.mark.usefixtures("crowd")
def test_long_lists_come_in_pages(staff: Browser) -> None:
    first, last = staff.get("/students").text, staff.get("/students?page=41").text
    assert "1–50 of 2002" in first
    assert 'href="/students?page=2"' in first
    assert "2001–2002 of 2002" in last
    record = staff.get("/students/S-1?page=9").text
    assert "401–401 of 401" in record


# -------------------------------------------------------------- registration


def test_a_student_is_registered_with_a_photograph_and_recognised_from_then_on(
    staff: Browser, database: Database
) -> None:
    status, page = register(staff, photo=sent(photo_of(ANN), "../../etc/passwd"))
    assert status == 200, refusal(page)
    assert "Nina Novak is registered and will be recognised" in page
    with database.reading() as reading:
        student = find_student(reading, "S-9")
        assert (student.name, student.email) == ("Nina Novak", "nina@example.edu")
        (face,) = indexed_faces(reading, [student.id])
        assert re.fullmatch(r"upload-[0-9a-f]{16}\.jpg", face.photo)
        assert consented(reading, [student.id]) == {student.id}
        noted = {row.action: row.actor for row in reading.scalars(select(AuditRow))}
    assert {
        action: noted[action] for action in ("student.added", "consent.given", "photo.added")
    } == dict.fromkeys(("student.added", "consent.given", "photo.added"), STAFF)
    (photo_id,) = photo_ids(database)
    picture = staff.get(f"/students/S-9/photos/{photo_id}.jpg")
    assert picture.content_type == "image/jpeg"
    assert picture.headers["Cache-Control"] == "no-store"
    small = staff.get(f"/students/S-9/photos/{photo_id}.jpg?size=small")
    assert len(small.data) < len(picture.data) / 4
    assert f"/students/S-9/photos/{photo_id}.jpg" in staff.get("/students").text


def test_without_a_photograph_nobody_needs_a_consent(staff: Browser, database: Database) -> None:
    status, page = register(staff, consent="", photo=sent(b"", ""))
    assert status == 200, refusal(page)
    assert "Nina Novak is registered." in page
    with database.reading() as reading:
        assert not consented(reading, [find_student(reading, "S-9").id])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"student_no": ""}, "A student number is needed"),
        ({"student_no": "S 9/"}, "characters other than letters"),
        ({"student_no": "S-1"}, "Ada Adams"),
        ({"name": " "}, "A full name is needed"),
        ({"email": "nina"}, "is no e-mail address"),
        ({"course": []}, "No course was chosen"),
        ({"course": "NONE-1"}, "there no longer"),
        ({"photo": (io.BytesIO(b"GIF89a"), "me.jpg")}, "JPEG, PNG or WebP"),
        ({"photo": (io.BytesIO(b""), "me.jpg")}, "is empty"),
        ({"photo": (io.BytesIO(photo_of(ANN)[:-4000]), "me.jpg")}, "cut short"),
        ({"photo": (io.BytesIO(photo_of(ANN, 60)), "me.jpg")}, ""),
        ({"photo": (io.BytesIO(photo_of(ANN)), "me.jpg"), "consent": ""}, "A photograph needs a consent"),
    ],
)
def test_what_is_wrong_with_a_registration_is_one_line_and_nothing_is_stored(
    staff: Browser, database: Database, changes: dict[str, object], words: str
) -> None:
    status, page = register(staff, **changes)
    assert status == 400
    assert words in refusal(page).replace("&#39;", "'")
    if "name" not in changes:
        assert 'value="Nina Novak"' in page
    with database.reading() as reading:
        assert reading.scalar(select(Student.id).where(Student.student_no == "S-9")) is None


def test_a_face_that_is_anothers_is_refused_unless_staff_say_they_looked(
    staff: Browser, database: Database
) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    twin = {"student_no": "S-10", "name": "Nora Novak", "email": "", "photo": sent(photo_of(ANN, 500))}
    status, page = register(staff, **twin)
    assert status == 400
    assert "looks like Nina Novak (S-9" in refusal(page)
    assert 'name="lookalike" value="S-9"' in page
    with database.reading() as reading:
        assert reading.scalar(select(Student.id).where(Student.student_no == "S-10")) is None
    status, page = register(staff, **{**twin, "photo": sent(photo_of(ANN, 500))}, lookalike="S-9")
    assert status == 200, refusal(page)
    assert len(photo_ids(database, "S-10")) == 1


def test_a_refused_form_asks_for_the_photograph_again_only_where_there_was_one(staff: Browser) -> None:
    assert "still there." in refusal(register(staff, name="")[1])
    _, page = register(staff, name="", photo=sent(photo_of(ANN)))
    assert "still there; choose the photograph again." in refusal(page)


def test_sending_the_form_twice_registers_once(staff: Browser, database: Database) -> None:
    register(staff)
    status, page = register(staff)
    assert status == 400
    assert "S-9 is Nina Novak" in refusal(page)


def test_a_photograph_too_large_is_a_page_that_says_the_limit(app: Flask, staff: Browser) -> None:
    limit, desk = 100_000, desk_of(app)
    put_desk(app, replace(desk, settings=desk.settings.model_copy(update={"max_photo_bytes": limit})))
    status, page = register(staff, photo=sent(b"\xff\xd8\xff" + b"x" * limit))
    assert (status, "at most 0.1 MB" in page) == (400, True)
    status, page = register(staff, photo=sent(b"\xff\xd8\xff" + b"x" * (limit + 100_000)))
    assert status == 413
    assert "This page takes 0.2 MB at most" in page


def test_the_camera_is_open_to_the_pages_that_take_pictures_and_to_no_other(staff: Browser) -> None:
    for path, policy in (
        ("/registration", "camera=(self)"),
        ("/students/S-1", "camera=(self)"),
        ("/sessions/1/picture", "camera=(self)"),
        ("/students", "camera=()"),
        ("/sessions/1", "camera=()"),
        ("/nothing", "camera=()"),
    ):
        assert policy in staff.get(path).headers["Permissions-Policy"], path


# ------------------------------------------------ photographs and consent


def test_photographs_are_added_and_removed_one_by_one(staff: Browser, database: Database) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    status, page = post(staff, "/students/S-9/photos", photo=sent(photo_of(ANN, 520)))
    assert status == 200, refusal(page)
    first, second = photo_ids(database)
    assert post(staff, f"/students/S-2/photos/{first}/remove")[0] == 404
    assert post(staff, f"/students/S-9/photos/{first}/remove")[0] == 200
    assert photo_ids(database) == [second]
    assert post(staff, f"/students/S-9/photos/{first}/remove")[0] == 404


def test_a_photograph_unlike_the_others_is_taken_only_when_staff_confirm_it(
    staff: Browser, database: Database
) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    status, page = post(staff, "/students/S-9/photos", photo=sent(photo_of(BEN)))
    assert status == 400
    assert "does not look like the student’s others" in refusal(page)
    status, _ = post(staff, "/students/S-9/photos", photo=sent(photo_of(BEN)), confirmed="yes")
    assert (status, len(photo_ids(database))) == (200, 2)


def test_no_photograph_is_taken_without_a_consent(staff: Browser, database: Database) -> None:
    register(staff, consent="")
    status, page = post(staff, "/students/S-9/photos", photo=sent(photo_of(CID)))
    assert (status, photo_ids(database)) == (400, [])
    assert "No consent is on record" in refusal(page)
    status, page = post(staff, "/students/S-9/photos", photo=sent(photo_of(CID)), consent="form 8")
    assert (status, len(photo_ids(database))) == (200, 1)
    assert "form 8" in page


def test_the_same_photograph_again_is_said_to_be_there(staff: Browser, database: Database) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    status, page = post(staff, "/students/S-9/photos", photo=sent(photo_of(ANN)))
    assert status == 400
    assert "This photograph of Nina Novak is there already; choose another one." in refusal(page)


def test_a_consent_is_put_on_record_and_withdrawn_with_the_face(staff: Browser, database: Database) -> None:
    register(staff, consent="")
    assert post(staff, "/students/S-9/consent", consent=" ")[0] == 400
    assert "form 9" in post(staff, "/students/S-9/consent", consent="form  9")[1]
    post(staff, "/students/S-9/photos", photo=sent(photo_of(ANN)))
    assert post(staff, "/students/S-9/consent/withdraw")[0] == 400
    assert len(photo_ids(database)) == 1
    status, page = post(staff, "/students/S-9/consent/withdraw", sure="yes", reason="asked for it")
    assert status == 200
    assert "removed: 1 face, 1 photograph, 0 crops" in page
    assert "Withdrawn" in page
    assert photo_ids(database) == []


def test_a_student_is_removed_by_typing_their_number(staff: Browser, database: Database) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    (photo_id,) = photo_ids(database)
    status, page = post(staff, "/students/S-9/remove", number="S-8", reason="left")
    assert status == 400
    assert "is not S-9" in refusal(page)
    status, page = post(staff, "/students/S-9/remove", number="S-9", reason="left")
    assert status == 200
    assert "S-9 is removed" in page
    assert "Nina" not in staff.get("/students").text
    assert staff.get("/students/S-9").status_code == 404
    assert staff.get(f"/students/S-9/photos/{photo_id}.jpg").status_code == 404


def test_photographs_are_for_those_who_teach_the_student(
    app: Flask, staff: Browser, database: Database
) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    (photo_id,) = photo_ids(database)
    for email, status in ((INSTRUCTOR, 200), (OTHER_INSTRUCTOR, 404), ("ada@example.edu", 404), (None, 302)):
        browser = Browser(app.test_client())
        if email is not None:
            browser.sign_in(email)
        assert browser.get(f"/students/S-9/photos/{photo_id}.jpg").status_code == status
        # One's photograph is not found under another's number.
        if status == 200:
            assert browser.get(f"/students/S-1/photos/{photo_id}.jpg").status_code == 404


# ------------------------------------------------------------------- faces


def test_faces_are_listed_and_removed_one_by_one(staff: Browser, database: Database) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    page = staff.get("/faces").text
    assert "3 faces" in page
    with database.reading() as reading:
        (face,) = indexed_faces(reading, [find_student(reading, "S-9").id])
    assert face.model in page
    answer = staff.client.post(
        f"/faces/{face.face_id}/remove",
        data={"csrf_token": staff.token("/registration")},
        follow_redirects=True,
    )
    assert "The face is removed" in answer.text
    assert (photo_ids(database), "2 faces" in staff.get("/faces").text) == ([], True)


# ------------------------------------------- where the face cache is away


@pytest.mark.usefixtures("no_cache")
def test_without_the_face_cache_nothing_is_called_removed(staff: Browser, database: Database) -> None:
    register(staff, photo=sent(photo_of(ANN)))
    (photo_id,) = photo_ids(database)
    with database.reading() as reading:
        (face,) = indexed_faces(reading, [find_student(reading, "S-9").id])
    for path, fields in (
        (f"/students/S-9/photos/{photo_id}/remove", {}),
        (f"/faces/{face.face_id}/remove", {}),
        ("/students/S-9/consent/withdraw", {"sure": "yes"}),
        ("/students/S-9/remove", {"number": "S-9"}),
    ):
        status, page = post(staff, path, **fields)
        assert status == 503, path
        assert (
            "Not everything is removed yet (the face cache cannot be started; free some memory). Go back and do it again."
            in page
        )
        assert "Nothing was changed" not in page
        assert ("The consent is withdrawn. " in page) is path.endswith("withdraw")
    assert photo_ids(database) == [photo_id]


def test_the_face_cache_is_opened_when_something_is_to_be_removed(
    app: Flask, staff: Browser, database: Database, cache: FaceCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.backroom.open_cache", lambda *_: cache)
    register(staff, photo=sent(photo_of(ANN)))
    with database.reading() as reading:
        faces = indexed_faces(reading, [find_student(reading, "S-9").id])
        cache.put(cached_faces(reading, [face.face_id for face in faces]))
    assert cache.face_ids()
    assert post(staff, "/students/S-9/remove", number="S-9")[0] == 200
    assert not cache.face_ids()
