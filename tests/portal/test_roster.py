"""The roster of a course: seen, searched, imported as it was shown, and left."""

import re

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from db.database import Database
from db.people import RosterLine, enrol, find_course, find_student, make_course
from db.roster import members_of
from db.schema import AuditRow
from portal.roster.preview import Preview
from tests.portal.cast import COURSE, INSTRUCTOR, OTHER_COURSE, STAFF, STUDENT_A, STUDENT_B, roster_line
from tests.portal.conftest import Browser

PAGE = f"/courses/{COURSE}/roster"
HEADER = "student_no,name,email,enrolled_on"
ADA, BEN = f"S-1,Ada Adams,{STUDENT_A},", f"S-2,Ben Brown,{STUDENT_B},"
CEM = "S-3,Cem Can,cem@example.edu,2026-11-20"

pytestmark = pytest.mark.usefixtures("meeting")


def hand_in(browser: Browser, *rows: str, header: str = HEADER, name: str = "roster.csv") -> TestResponse:
    return hand_in_bytes(browser, "\n".join([header, *rows]).encode(), name)


def hand_in_bytes(browser: Browser, content: bytes, name: str = "roster.csv") -> TestResponse:
    # Encoded here: what the client encodes of this size it writes to a file that it never closes.
    fields = (
        ('name="csrf_token"', browser.token(PAGE).encode()),
        (f'name="file"; filename="{name}"', content),
    )
    parts = [
        f"--cut\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body for head, body in fields
    ]
    body = b"\r\n".join([*parts, b"--cut--\r\n"])
    kind = "multipart/form-data; boundary=cut"
    return browser.client.post(f"{PAGE}/preview", data=body, content_type=kind, buffered=True)


def confirm(browser: Browser, shown: TestResponse, *removals: str) -> TestResponse:
    (sealed,) = re.findall(r'name="preview" value="([^"]+)"', shown.text)
    form = {"csrf_token": browser.token(PAGE), "preview": sealed, "remove": list(removals)}
    return browser.client.post(f"{PAGE}/confirm", data=form, buffered=True)


def roster(database: Database, code: str = COURSE) -> dict[str, str]:
    with database.reading() as reading:
        members = members_of(reading, find_course(reading, code).id)
        return {member.student_no: member.name for member in members}


def tally(page: TestResponse) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"<div><dt>([^<]+)</dt><dd>(\d+)</dd>", page.text)}


def test_what_is_shown_is_what_is_imported(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        enrol(
            writing, find_course(writing, OTHER_COURSE), [roster_line("S-9", "Dora Dahl", "dora@example.edu")]
        )
    browser.sign_in(STAFF)
    rows = (ADA.replace("Adams", "Ädams"), CEM, "S-9,Dora Dahl,dora@example.edu,")
    shown = hand_in(browser, *rows)
    assert shown.status_code == 200
    assert tally(shown) == {
        "New students": 1,
        "Added to the course": 1,
        "Changed": 1,
        "Unchanged": 0,
        "Not in the file": 1,
    }
    assert '<del class="soft">Ada Adams</del> <ins>Ada Ädams</ins>' in shown.text
    assert "Expected from 20 Nov 2026" in shown.text
    assert roster(database) == {"S-1": "Ada Adams", "S-2": "Ben Brown"}  # nothing is written yet
    answer = confirm(browser, shown)
    assert answer.status_code == 302
    assert answer.location == PAGE
    # Who is not in the file stays unless somebody says otherwise.
    assert roster(database) == {
        "S-1": "Ada Ädams",
        "S-2": "Ben Brown",
        "S-3": "Cem Can",
        "S-9": "Dora Dahl",
    }
    with database.reading() as reading:
        done = reading.execute(select(AuditRow.actor, AuditRow.action).order_by(AuditRow.seq)).all()
    assert [tuple(row) for row in done[-4:]] == [
        (STAFF, "student.changed"),
        (STAFF, "student.added"),
        (STAFF, "enrolment.made"),
        (STAFF, "enrolment.made"),
    ]


def test_who_is_ticked_is_taken_off_and_nobody_else(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    shown = hand_in(browser, ADA)
    assert "Apart from those whom you tick, the file changes nothing." in shown.text
    assert confirm(browser, shown, "S-2", "S-1", "nobody").status_code == 302
    assert roster(database) == {"S-1": "Ada Adams"}


def test_what_was_confirmed_twice_or_too_late_is_shown_again(browser: Browser, database: Database) -> None:
    browser.sign_in(STAFF)
    shown = hand_in(browser, ADA, BEN, CEM)
    with database.writing() as writing:
        enrol(writing, find_course(writing, COURSE), [roster_line("S-3", "Cem Çan", "cem@example.edu")])
    late = confirm(browser, shown)
    assert late.status_code == 409
    assert "Nothing was imported" in late.text
    assert "<ins>Cem Can</ins>" in late.text
    assert roster(database)["S-3"] == "Cem Çan"
    assert confirm(browser, late).status_code == 302
    assert roster(database)["S-3"] == "Cem Can"
    twice = confirm(browser, late)
    assert twice.status_code == 409
    assert "The file changes nothing: all of it is on record already." in twice.text


def test_every_mistake_is_told_with_its_line_and_nothing_can_be_confirmed(browser: Browser) -> None:
    browser.sign_in(STAFF)
    shown = hand_in(browser, ADA, "S 4,,x,then", BEN, "S-1,Again,,", "S-5,Doe, Jo,j@x,")
    assert shown.status_code == 200
    lines = re.findall(r'data-label="Line" class="num">(\d+)', shown.text)
    assert lines == ["3", "3", "3", "3", "5", "6"]
    assert "Student number S-1 stands on line 2 already; remove one of them." in shown.text
    assert "put a name that holds a comma into double quotes" in shown.text
    assert 'name="preview"' not in shown.text
    assert "Then hand it in again" in shown.text


def test_an_instructor_adds_and_does_not_correct(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    shown = hand_in(browser, ADA.replace("Adams", "Other"), CEM)
    assert (
        "Student S-1 is on record with another name (&#39;Ada Adams&#39;); staff can change that"
        in shown.text
    )
    assert confirm(browser, hand_in(browser, ADA, BEN, CEM)).status_code == 302
    assert set(roster(database)) == {"S-1", "S-2", "S-3"}


def test_of_a_student_of_other_courses_an_instructor_is_told_nothing(
    browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        enrol(
            writing, find_course(writing, OTHER_COURSE), [roster_line("S-9", "Dora Dahl", "dora@example.edu")]
        )
    browser.sign_in(INSTRUCTOR)
    shown = hand_in(browser, "S-9,Guess,guess@example.edu,")
    assert "cannot be added as the file has them; staff know what is on record" in shown.text
    assert "Dora" not in shown.text
    assert "dora@" not in shown.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file my list.csv lacks the column student_no, name, email"),
        (HEADER.encode(), "The file my list.csv names no student"),
        (f"{HEADER}\nS-3,J\xf6rg,,\n".encode("latin-1"), "The file my list.csv is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not UTF-8"),
        (f'{HEADER}\nS-3,"Ann,,\n'.encode(), "The file my list.csv is no CSV file"),
        (f"{HEADER}\n{CEM}\n".encode() + b" " * (2 << 20), "The file my list.csv is larger than 2 MB"),
        (
            "\n".join([HEADER, *(f"N-{n},Name,," for n in range(5001))]).encode(),
            "The file my list.csv names 5001 students; at most 5000 fit",
        ),
    ],
)
def test_a_file_that_is_no_roster_is_one_line(browser: Browser, content: bytes, said: str) -> None:
    browser.sign_in(STAFF)
    answer = hand_in_bytes(browser, content, "my list.csv")
    assert answer.status_code == 400
    assert said in answer.text
    assert answer.text.count('role="alert"') == 1


def test_a_body_that_no_roster_has_is_refused_before_it_is_read(browser: Browser) -> None:
    browser.sign_in(STAFF)
    assert hand_in_bytes(browser, b"x" * (6 << 20)).status_code == 413


def test_a_form_without_a_file_is_told_so(browser: Browser) -> None:
    browser.sign_in(STAFF)
    form = {"csrf_token": browser.token(PAGE)}
    answer = browser.client.post(f"{PAGE}/preview", data=form, buffered=True)
    assert answer.status_code == 400
    assert "No file was chosen; choose one, then send it again." in answer.text


def test_what_was_shown_for_one_course_or_person_is_worth_nothing_for_another(
    app: Flask, browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        make_course(writing, "BIO")
    browser.sign_in(STAFF)
    shown = hand_in(browser, CEM)
    (sealed,) = re.findall(r'name="preview" value="([^"]+)"', shown.text)
    form = {"csrf_token": browser.token(PAGE), "preview": sealed}
    assert browser.client.post("/courses/BIO/roster/confirm", data=form).status_code == 409
    assert roster(database, "BIO") == {}
    forged = {**form, "preview": sealed[:-4] + "AAA="}
    answer = browser.client.post(f"{PAGE}/confirm", data=forged)
    assert answer.status_code == 400
    assert "did not arrive whole" in answer.text
    browser.sign_out(PAGE)
    browser.sign_in(INSTRUCTOR)
    theirs = {"csrf_token": browser.token(PAGE), "preview": sealed}
    assert browser.client.post(f"{PAGE}/confirm", data=theirs).status_code == 409
    assert "S-3" not in roster(database)


def test_a_large_roster_is_shown_confirmed_and_paged(browser: Browser, database: Database) -> None:
    browser.sign_in(STAFF)
    rows = [f"L-{n:04},Student {n:04} of a large class,student{n:04}@example.edu," for n in range(2000)]
    shown = hand_in(browser, *rows)
    assert tally(shown)["New students"] == 2000
    assert "And 1500 more." in shown.text
    assert confirm(browser, shown, "S-1", "S-2").status_code == 302
    assert len(roster(database)) == 2000
    page = browser.get(f"{PAGE}?page=10").text
    assert "Page 10 of 10, 2000 students" in page
    assert "Student 1999" in page
    found = browser.get(f"{PAGE}?q=L-0042").text
    assert "Student 0042" in found
    assert "Student 0043" not in found
    for odd in ("0", "-1", "x", "99999", "9" * 30):
        assert browser.get(f"{PAGE}?page={odd}").status_code == 200
    # All of them at once, ticked.
    gone = hand_in(browser, ADA)
    assert confirm(browser, gone, *(f"L-{n:04}" for n in range(2000))).status_code == 302
    assert set(roster(database)) == {"S-1"}


def test_the_roster_as_a_file_changes_nothing_when_it_is_handed_in_again(
    browser: Browser, database: Database
) -> None:
    with database.writing() as writing:
        lines = [
            RosterLine("S-4", "=cmd|calc", "four@example.edu", "", ""),
            RosterLine("S-5", "Eve, the 5th", "", "", "", enrolled_on="2026-10-01"),
        ]
        enrol(writing, find_course(writing, COURSE), lines)
    browser.sign_in(STAFF)
    file = browser.get(f"{PAGE}.csv")
    assert file.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "'=cmd" in file.data.decode("utf-8-sig")
    shown = hand_in_bytes(browser, file.data)
    assert tally(shown) | {"Unchanged": 4} == tally(shown)
    assert "all of it is on record already" in shown.text
    template = browser.get(f"{PAGE}/template.csv")
    assert tally(hand_in_bytes(browser, template.data))["New students"] == 2


def test_a_student_is_taken_off_the_roster(browser: Browser, database: Database) -> None:
    browser.sign_in(INSTRUCTOR)
    page = f"{PAGE}/S-2/remove"
    assert "Take Ben Brown off the roster?" in browser.get(page).text
    form = {"csrf_token": browser.token(page), "reason": "left"}
    answer = browser.client.post(page, data=form)
    assert answer.status_code == 302
    assert "What is on record of them stays." in browser.get(PAGE).text
    assert set(roster(database)) == {"S-1"}
    with database.reading() as reading:
        assert find_student(reading, "S-2").name == "Ben Brown"
    assert browser.get(page).status_code == 404  # of this course no more


def test_a_sealed_preview_is_what_it_was(app: Flask) -> None:
    shown = Preview(1, 2, "a.csv", b"\xff\x00 anything", "d")
    with app.app_context():
        assert Preview.unseal(shown.seal()) == shown
