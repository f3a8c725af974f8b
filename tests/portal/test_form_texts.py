"""Control characters in what people type: no form takes them, wherever its texts would go."""

import pytest
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.people import find_student
from db.report import session_line
from db.schema import AuditRow, EditRow
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, STAFF, STUDENT_A
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

ENTRY = "/sessions/1/entries/S-2"


def send(browser: Browser, path: str, page: str, fields: dict[str, str]) -> tuple[int, str]:
    form = {"csrf_token": browser.token(page)} | fields
    answer = browser.client.post(path, data=form)
    return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("email", "path", "page", "fields", "said"),
    [
        (STAFF, "/students/S-2/details", "/students/S-2", {"name": "Con\x01trol", "email": ""}, ("name", "0001")),
        (STAFF, "/students/S-2/details", "/students/S-2", {"name": "Nul\0l", "email": ""}, ("name", "0000")),
        (STAFF, "/registration", "/registration", {"name": "esc\x1b[31mred", "number": "S-9"}, ("name", "001B")),
        (STAFF, "/courses", "/courses", {"code": "BIO", "title": "T\x7f"}, ("title", "007F")),
        (STAFF, "/courses", "/courses", {"code": "BIO\x07", "title": "T"}, ("code", "0007")),
        (INSTRUCTOR, f"/courses/{COURSE}/plan", f"/courses/{COURSE}", {"title": "T\x0b"}, ("title", "000B")),
        (INSTRUCTOR, ENTRY, ENTRY, {"status": "late", "reason": "x\x85"}, ("reason", "0085")),
        (ADMIN, "/admin/users", "/admin/users/new", {"name": "A\x9fda"}, ("name", "009F")),
        (STUDENT_A, "/me/data/erasure", "/me/data", {"text": "bye\x08", "sure": "yes"}, ("text", "0008")),
        (STUDENT_A, "/calendar", "/calendar", {"na\x02me": "x"}, ("na\ufffdme", "0002")),
        ("", "/login", "/login", {"email": "a\x00@b.example", "password": "x"}, ("email", "0000")),
    ],
)  # fmt: skip
def test_a_form_with_a_control_character_is_refused_in_one_line_that_names_it(
    browser: Browser,
    database: Database,
    email: str,
    path: str,
    page: str,
    fields: dict[str, str],
    said: tuple[str, str],
) -> None:
    if email:
        browser.sign_in(email)
    with database.reading() as reading:
        before = reading.scalars(select(AuditRow.seq)).all()
    status, told = send(browser, path, page, fields)
    assert status == 400
    assert f"The field “{said[0]}” holds the control character U+{said[1]}" in told
    assert "Remove it and send the form again; nothing was changed. Going back brings what you typed." in told
    with database.reading() as reading:
        assert reading.scalars(select(AuditRow.seq)).all() == before, "nothing was done"


def test_a_row_that_is_edited_in_its_place_says_so_there(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    form = {"csrf_token": browser.token(ENTRY), "version": "1", "status": "late", "reason": "x\x01"}
    answer = browser.client.post(ENTRY, data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.get_json()["refused"].startswith("The field “reason” holds the control character U+0001")
    with database.reading() as reading:
        assert reading.scalars(select(EditRow)).all() == []


def test_lines_tabs_and_any_writing_are_taken(browser: Browser, database: Database, meeting: int) -> None:
    browser.sign_in(STAFF)
    reason = "he told me:\r\n\tthe tram\u2028 was late – Grüße, 山田, \U0001f600, \u200dx"
    assert send(browser, ENTRY, ENTRY, {"version": "1", "status": "late", "reason": reason})[0] == 302
    with database.reading() as reading:
        assert reading.scalars(select(EditRow.reason)).one() == reason.replace("\r\n", "\n")
        assert find_student(reading, "S-2").name == "Ben Brown"
        assert session_line(reading, meeting).title == "Limits"


def test_a_password_may_hold_what_it_likes_and_is_never_told(app: Flask) -> None:
    browser = Browser(app.test_client())
    assert browser.sign_in(ADMIN, "a\x01b").status_code == 401
