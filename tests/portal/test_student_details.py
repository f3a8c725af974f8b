"""Correcting a student's name and e-mail address on their page."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from db.database import Database
from db.people import find_student
from db.schema import AuditRow
from tests.portal.cast import INSTRUCTOR, STAFF
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")

PAGE = "/students/S-1"


@pytest.fixture
def staff(browser: Browser) -> Browser:
    browser.sign_in(STAFF)
    return browser


def correct(browser: Browser, name: str, email: str, page: str = PAGE) -> tuple[int, str]:
    read = browser.get(PAGE).text
    fields = {"csrf_token": browser.token(PAGE), "name": name, "email": email, "mark": mark_on(read)}
    answer = browser.client.post(f"{page}/details", data=fields, follow_redirects=True)
    return answer.status_code, answer.text


def mark_on(page: str) -> str:
    found = re.search(r'name="mark" value="(\w{16})"', page)
    assert found is not None
    return found[1]


def stored(database: Database) -> tuple[str, str]:
    with database.reading() as reading:
        ada = find_student(reading, "S-1")
        return ada.name, ada.email


def changes(database: Database) -> list[AuditRow]:
    with database.reading() as reading:
        return list(reading.scalars(select(AuditRow).where(AuditRow.action == "student.changed")))


def test_name_and_address_are_corrected_and_no_name_enters_the_chain(
    staff: Browser, database: Database, meeting: int
) -> None:
    status, page = correct(staff, "  Ada   Lovelace ", "Ada.L@Example.edu")
    assert status == 200
    assert "Ada Lovelace is corrected." in page
    assert "<h1>Ada Lovelace</h1>" in page
    assert stored(database) == ("Ada Lovelace", "ada.l@example.edu")
    (change,) = changes(database)
    assert change.actor == STAFF
    assert "Lovelace" not in change.detail
    assert "Ada Lovelace" in staff.get(f"/sessions/{meeting}").text


def test_what_stands_there_already_is_no_change(staff: Browser, database: Database) -> None:
    status, page = correct(staff, *stored(database))
    assert status == 200
    assert "Nothing was changed" in page
    assert not changes(database)


@pytest.mark.parametrize(
    ("name", "email", "said"),
    [
        ("", "ada@example.edu", "A full name is needed"),
        ("A" * 201, "ada@example.edu", "has 201 characters; shorten it to 200"),
        ("\u200b", "ada@example.edu", "has no letter that can be seen"),
        ("Ada\u202e Adams", "ada@example.edu", "holds a control character"),
        ("Ada Adams", "ada at example", "&#39;ada at example&#39; is no e-mail address"),
        ("Ada Adams", "a@b@c", "&#39;a@b@c&#39; is no e-mail address"),
        ("Ada Adams", "ada@", "&#39;ada@&#39; is no e-mail address"),
        ("Ada Adams", "ben@example.edu", "is the address of Ben Brown (S-2)"),
    ],
)
def test_what_cannot_be_is_refused_and_stays_in_the_form(
    staff: Browser, database: Database, name: str, email: str, said: str
) -> None:
    before = stored(database)
    status, page = correct(staff, name, email)
    assert status == 400
    assert said in page
    assert f'name="email" value="{email}"' in page
    assert '<details class="add" open>' in page
    assert stored(database) == before


def test_who_saves_second_is_shown_what_the_first_one_saved(staff: Browser, database: Database) -> None:
    fields = {"csrf_token": staff.token(PAGE), "mark": mark_on(staff.get(PAGE).text), "email": ""}
    assert correct(staff, "Ada Lovelace", "ada.l@example.edu")[0] == 200
    answer = staff.client.post(f"{PAGE}/details", data=fields | {"name": "Ada King"})
    assert answer.status_code == 409
    assert "Ada Lovelace, ada.l@example.edu stands there now" in answer.text
    assert 'name="name" value="Ada King"' in answer.text
    assert stored(database) == ("Ada Lovelace", "ada.l@example.edu")
    again = fields | {"name": "Ada King", "mark": mark_on(answer.text)}
    assert staff.client.post(f"{PAGE}/details", data=again).status_code == 302
    assert stored(database) == ("Ada King", "")


def test_nobody_is_corrected_who_is_not_there(staff: Browser) -> None:
    assert correct(staff, "Nina Novak", "", page="/students/S-404")[0] == 404


def test_instructors_are_not_offered_to_correct(app: Flask) -> None:
    browser = Browser(app.test_client())
    browser.sign_in(INSTRUCTOR)
    assert "Correct name or e-mail" not in browser.get(PAGE).text
