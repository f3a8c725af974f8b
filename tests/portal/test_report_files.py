"""The report as JSON, CSV, XLSX and text."""

import csv
import io
from dataclasses import replace

import pytest
from openpyxl import load_workbook

from db.database import Database
from db.report import SessionReport, session_report
from portal.report_files import as_csv, as_json, as_xlsx, file_stem, safe_text
from portal.report_table import report_text
from tests.portal.cast import ADMIN
from tests.portal.conftest import Browser


@pytest.fixture
def report(database: Database, meeting: int) -> SessionReport:
    with database.reading() as reading:
        return session_report(reading, meeting)


def renamed(report: SessionReport, name: str) -> SessionReport:
    first, *others = report.students
    return replace(report, students=(replace(first, name=name, student_no=name), *others))


def test_json_has_exactly_the_promised_shape(report: SessionReport, meeting: int) -> None:
    found = as_json(report)
    assert found.keys() == {"session", "students", "looks", "reviews"}
    assert found["session"] == {
        "id": meeting,
        "course": "MATH-101",
        "title": "Limits",
        "starts_at": "2026-03-02T08:00:00.000000Z",
        "ends_at": "2026-03-02T08:45:00.000000Z",
        "time_zone": "Europe/Berlin",
    }
    assert found["students"][1] == {
        "student_no": "S-2",
        "name": "Ben Brown",
        "status": "left_early",
        "joined_at": "2026-03-02T08:06:00.000000Z",
        "last_seen_at": "2026-03-02T08:24:00.000000Z",
        "minutes": 20.0,
        "confidence": 0.97,
        "intervals": [["2026-03-02T08:06:00.000000Z", "2026-03-02T08:24:00.000000Z"]],
    }
    assert found["looks"][0] == {
        "taken_at": "2026-03-02T08:00:00.000000Z",
        "trigger": "headcount",
        "headcount": 1,
        "identified": 1,
        "unknown": 0,
        "searches": 1,
        "paid": 0,
        "reviewed": 0,
    }
    assert found["reviews"] == [
        {
            "kind": "unknown_face",
            "student_no": None,
            "at": "2026-03-02T08:44:00.000000Z",
            "state": "open",
            "id": report.reviews[0].id,
        }
    ]


def test_a_student_nobody_saw_has_no_times_and_no_confidence(report: SessionReport) -> None:
    nobody = replace(
        report.students[0], status="absent", joined_at=None, last_seen_at=None, confidence=None, intervals=()
    )
    found = as_json(replace(report, students=(nobody,)))["students"][0]
    assert (found["joined_at"], found["last_seen_at"], found["confidence"], found["intervals"]) == (
        None,
        None,
        None,
        [],
    )


def test_csv_has_a_line_per_student_with_times_of_the_courses_zone(report: SessionReport) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [line["name"] for line in lines] == ["Ada Adams", "Ben Brown"]
    assert lines[1]["joined_at"] == "2026-03-02T09:06:00+01:00"
    assert lines[1]["joined_after"] == "2026-03-02T09:03:59+01:00"
    assert lines[1]["confidence_pct"] == "97.0"


@pytest.mark.parametrize(
    "name",
    ["=cmd|'/c calc'!A0", "+49 30 1234", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1+1"],
)
def test_a_name_is_never_a_formula(report: SessionReport, name: str) -> None:
    assert safe_text(name) == f"'{name}"
    cells = next(csv.DictReader(io.StringIO(as_csv(renamed(report, name)), newline="")))
    assert cells["name"] == cells["student_no"] == f"'{name}"

    sheet = load_workbook(io.BytesIO(as_xlsx(renamed(report, name))))["Attendance"]
    assert {sheet["A2"].data_type, sheet["B2"].data_type} == {"s"}


@pytest.mark.parametrize("name", ["Ada Adams", "O'Neill", "Zoë = Zoe", "", "Ümit"])
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert safe_text(name) == name


def test_the_workbook_holds_attendance_looks_and_reviews(report: SessionReport) -> None:
    book = load_workbook(io.BytesIO(as_xlsx(report)))
    assert book.sheetnames == ["Attendance", "Looks", "Reviews"]
    rows = list(book["Attendance"].values)
    assert rows[0][3] == "Joined (CET)"
    assert rows[2][:3] == ("S-2", "Ben Brown", "Left early")
    assert str(rows[2][3]) == "2026-03-02 09:06:00"
    assert book["Looks"].max_row == 1 + len(report.looks)
    assert book["Reviews"]["C2"].value.startswith("At 09:44:00")


def test_a_workbook_takes_names_that_xml_cannot_hold(report: SessionReport) -> None:
    book = load_workbook(io.BytesIO(as_xlsx(renamed(report, "A\x00da\x0b"))))
    assert book["Attendance"]["B2"].value == "A�da�"


def test_the_table_in_the_terminal_says_what_the_page_says(report: SessionReport) -> None:
    found = " ".join(report_text(report).split())
    for expected in (
        "Limits · MATH-101 · Mon 2 Mar 2026, 09:00–09:45 CET",
        "Ben Brown S-2 Left early 09:06:00 09:24:00 20 97 %",
        "22 of 23 looks balance",
        "? At 09:44:00 there was a face that matches nobody on the roster.",
    ):
        assert expected in found


def test_markup_in_a_name_is_text_in_the_terminal(report: SessionReport) -> None:
    assert "[red]Ada[/red]" in report_text(renamed(report, "[red]Ada[/red]"))


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [
        ("csv", "text/csv", b"\xef\xbb\xbfstudent_no,"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
    ],
)
def test_files_are_downloaded_under_a_telling_name(
    browser: Browser, meeting: int, ending: str, kind: str, begins: bytes
) -> None:
    browser.sign_in(ADMIN)
    answer = browser.get(f"/sessions/{meeting}/report.{ending}")
    assert answer.mimetype == kind
    assert answer.data.startswith(begins)
    assert (
        f'filename="MATH-101-2026-03-02-session-{meeting}.{ending}"' in answer.headers["Content-Disposition"]
    )


def test_a_file_name_holds_nothing_but_plain_characters(report: SessionReport) -> None:
    odd = replace(report, session=replace(report.session, course='../"Ma\nthe" ü'))
    assert file_stem(odd) == f"Ma-the-2026-03-02-session-{report.session.id}"
