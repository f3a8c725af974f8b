"""Reports of a course: pages, files, and what each asks of the ledger."""

import csv
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from openpyxl import load_workbook
from sqlalchemy import select

from db.database import Database
from db.edits import NewEdit, edit_entry
from db.ledger import catch_up
from db.people import RosterLine, enrol, find_course
from db.schema import SessionRow
from db.sessions import start_session
from db.term import TermLine, TermReport, TermSession, term_report
from db.timetable import NewSlot, add_slot
from portal.errors import PortalError
from portal.reports.charts import Bar, draw_bars
from portal.reports.matrix import matrix_of
from portal.reports.span import read_span
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_INSTRUCTOR,
    START,
    Seen,
    class_of_sixteen,
    record,
)
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting

PAGE = f"/reports/{COURSE}"
WEEK = timedelta(days=7)


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_list_names_the_viewers_courses_with_their_shares(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get("/reports").text
    assert COURSE in page
    assert "CHEM-7" not in page
    assert re.search(r'data-label="Attended"[^>]*>100 %', page)


def test_the_list_is_searched_by_code_and_title(browser: Browser, database: Database, meeting: int) -> None:
    with database.writing() as writing:
        find_course(writing, "CHEM-7").title = "Bonds & rings"
    browser.sign_in(ADMIN)
    assert "CHEM-7" in browser.get("/reports?q=RINGS").text
    assert COURSE not in browser.get("/reports?q=rings").text
    assert "No course is called that" in browser.get("/reports?q=%25").text


def test_whoever_teaches_nothing_is_told_so(browser: Browser, database: Database, meeting: int) -> None:
    browser.sign_in(OTHER_INSTRUCTOR)
    assert "CHEM-7" in browser.get("/reports").text


def test_the_matrix_shows_a_mark_with_words_for_each_student_and_session(
    browser: Browser, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(PAGE).text
    # Ben came five minutes late, which the course allows, and left 20 minutes early.
    assert '<span aria-hidden="true">E</span><span class="visually-hidden">Left early</span>' in page
    assert '<span aria-hidden="true">P</span><span class="visually-hidden">Present</span>' in page
    assert "Times are Europe/Berlin" in page
    assert "Week 10" in page


def test_who_falls_short_of_the_courses_limit_is_counted_and_marked(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        find_course(writing, COURSE).attendance_limit = 0.75
        edit_entry(writing, NewEdit(meeting, "S-2", "not there", ADMIN, "absent"))
    browser.sign_in(INSTRUCTOR)
    page = browser.get(PAGE).text
    assert "<strong>1 of 2 students</strong> came to less than 75 % of their sessions" in page
    assert page.count('class="short"') == 1
    names = re.findall(r'class="who-came">(?:<a[^>]*>)?(\w+ \w+)<', browser.get(f"{PAGE}?order=share").text)
    assert names[0] == "Ben Brown"


@pytest.mark.parametrize(
    ("doubtful", "line"),
    [
        ((), "Every student came to at least 75 % of their sessions"),
        (("S-2",), "Every student of whom a session counts came to at least 75 %"),
        (("S-1", "S-2"), "No session counts yet, so nobody can be held against 75 %"),
    ],
)
def test_of_whom_no_session_counts_nothing_is_said_against_the_limit(
    browser: Browser, database: Database, meeting: int, doubtful: tuple[str, ...], line: str
) -> None:
    with database.writing() as writing:
        find_course(writing, COURSE).attendance_limit = 0.75
        for student_no in doubtful:
            edit_entry(writing, NewEdit(meeting, student_no, "cannot tell", ADMIN, "unverified"))
    browser.sign_in(INSTRUCTOR)
    assert line in browser.get(PAGE).text


def test_what_a_timetable_planned_is_in_no_report_yet(
    browser: Browser, database: Database, meeting: int
) -> None:
    now = datetime.now(UTC)
    with database.writing() as writing:
        days = [(now + timedelta(days=after)).date() for after in (1, 13)]
        slot = NewSlot(days[0].weekday(), "09:00", 45, f"{days[0]}", f"{days[1]}", title="Planned class")
        add_slot(writing, find_course(writing, COURSE), slot, ADMIN, now)
    with database.reading() as reading:
        query = select(SessionRow.id).where(SessionRow.starts_at > now)
        planned = reading.scalars(query.order_by(SessionRow.id)).all()
    assert planned
    browser.sign_in(INSTRUCTOR)
    page = browser.get(PAGE).text
    assert "Limits" in page
    assert "Planned class" not in page
    assert "Not held" not in page
    assert "<dt>Sessions</dt><dd>1</dd>" in browser.get(f"{PAGE}/turnout").text
    assert len(rows(browser.get(f"{PAGE}/turnout.csv").text)) == 2
    for key in planned:
        assert f"#{key}" not in browser.get(f"{PAGE}/report.csv").text
        assert rows(browser.get(f"/sessions/{key}/moodle.csv").text) == [["idnumber", "status", "email"]]


def test_days_are_the_courses(browser: Browser, database: Database, meeting: int) -> None:
    with database.writing() as writing:
        # 23:30 UTC on 9 March is the 10th in Berlin.
        start_session(writing, COURSE, "Night class", START + WEEK + timedelta(hours=15.5), 45)
    browser.sign_in(INSTRUCTOR)
    assert "Night class" in browser.get(f"{PAGE}?from=2026-03-10&to=2026-03-10").text
    assert "Night class" not in browser.get(f"{PAGE}?to=2026-03-09").text
    empty = browser.get(f"{PAGE}?from=2026-03-11")
    assert empty.status_code == 200
    assert "No session begins on these days" in empty.text


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("from=soon", "From &#39;soon&#39; is no date; write e.g. 2026-03-02."),
        ("from=2026-03-02&to=2026-03-01", "give a last day that is not before the first."),
        ("to=9999-12-31", "give a year from 1971 to 9000."),
        ("from=0001-01-01", "give a year from 1971 to 9000."),
    ],
)
def test_days_that_cannot_be_are_one_line_and_stay_in_the_form(
    browser: Browser, meeting: int, query: str, line: str
) -> None:
    browser.sign_in(INSTRUCTOR)
    answer = browser.get(f"{PAGE}?{query}")
    assert answer.status_code == 400
    assert line in answer.text
    assert all(f'value="{part.partition("=")[2]}"' in answer.text for part in query.split("&"))
    file = browser.get(f"{PAGE}/report.csv?{query}")
    assert (file.status_code, file.location) == (302, f"{PAGE}?{query}")


def test_a_range_of_days_says_itself_in_words() -> None:
    words = [
        read_span({"from": first, "to": last}).words
        for first, last in [("", ""), ("2026-03-02", ""), ("", "2026-03-02"), ("2026-03-02", "2026-06-30")]
    ]
    assert words == [
        "All sessions so far",
        "From 2 Mar 2026 on",
        "Up to 2 Mar 2026",
        "2 Mar 2026 to 30 Jun 2026",
    ]
    with pytest.raises(PortalError):
        read_span({"from": "2026-02-30"})


def wide(sessions: int, students: int) -> TermReport:
    held = tuple(
        TermSession(
            n, f"S{n}", START + n * WEEK / 2, START + n * WEEK / 2, True, False, {"present": students}
        )
        for n in range(sessions)
    )
    lines = tuple(
        TermLine(f"N{n}", f"Name {n}", ("present",) * sessions, {"present": sessions}, n, 400, 1.0)
        for n in range(students)
    )
    return TermReport("BIG", "Europe/Berlin", held, lines, None, 0.5)


def test_a_wide_matrix_comes_in_pages_the_newest_sessions_first() -> None:
    report = wide(70, 450)
    last = matrix_of(report)
    assert (last.first, last.last, last.total, last.earlier, last.later) == (41, 70, 70, 10, None)
    first = matrix_of(report, at=0, row=200)
    assert (first.first, first.last, first.earlier, first.later) == (1, 30, None, 30)
    assert (first.above, len(first.lines), first.before, first.after) == (200, 100, 100, 300)
    beyond = matrix_of(report, at=999, row=999)
    assert (beyond.first, beyond.last, beyond.above) == (70, 70, 449)
    whole = matrix_of(report, whole=True)
    assert (len(whole.sessions), len(whole.lines), whole.is_part) == (70, 450, False)
    assert not matrix_of(wide(100, 401), whole=True).whole


def test_weeks_span_their_sessions_and_the_lowest_share_can_come_first() -> None:
    matrix = matrix_of(wide(4, 3), "share")
    assert matrix.weeks == ((date(2026, 3, 2), 2), (date(2026, 3, 9), 2))
    assert [row.line.name for row in matrix.lines] == ["Name 0", "Name 1", "Name 2"]
    assert [row.short for row in matrix.lines] == [True] * 3


def test_a_chart_is_drawn_to_a_round_ceiling_and_escapes_what_it_says() -> None:
    drawn = draw_bars([Bar("<b>", 85.0, "a & b"), Bar("c", None, "")], "Persons")
    assert "&lt;b&gt;" in drawn
    assert "a &amp; b" in drawn
    assert ">120<" in drawn
    assert ">4<" in draw_bars([], "Nothing")
    assert 'role="img" aria-label="Persons"' in drawn


def test_the_turnout_page_shows_days_hours_and_totals(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"{PAGE}/turnout").text
    assert "Mon 2 Mar 2026" in page
    assert "09:00–09:59" in page
    # 23 looks, 34 heads, of which the stranger is one.
    assert re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page) == [
        ("Sessions", "1"), ("Looks", "23"), ("Heads counted", "34"), ("Faces identified", "33"),
        ("Settled by staff", "0"), ("Faces searched", "3"),
    ]  # fmt: skip


def test_the_files_hold_what_the_pages_show(browser: Browser, meeting: int) -> None:
    browser.sign_in(INSTRUCTOR)
    turnout = browser.get(f"{PAGE}/turnout.csv")
    assert turnout.headers["Content-Disposition"] == 'attachment; filename="MATH-101-turnout.csv"'
    assert rows(turnout.text) == [
        ["date", "sessions", "persons", "looks", "heads", "identified", "settled_by_staff", "searches"],
        ["2026-03-02", "1", "2", "23", "34", "33", "0", "3"],
    ]
    matrix = rows(browser.get(f"{PAGE}/report.csv?from=2026-03-02&to=2026-03-02").text)
    assert [row[1] for row in matrix] == ["name", "Ada Adams", "Ben Brown"]
    book = load_workbook(io.BytesIO(browser.get(f"{PAGE}/report.xlsx").data))
    assert book.sheetnames == ["Students", "Sessions", "Days", "Hours"]
    assert [cell.value for cell in book["Days"][2]][:3] == ["2026-03-02", 1, 2]
    assert [cell.value for cell in book["Hours"][2]] == ["09:00", 1, 2, 2]


def test_what_moodle_and_canvas_import_has_their_header_lines(
    browser: Browser, database: Database, meeting: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    found = {
        name: rows(browser.get(path).text)
        for name, path in {
            "grades": f"{PAGE}/moodle-grades.csv",
            "term": f"{PAGE}/moodle-attendance.csv",
            "session": f"/sessions/{meeting}/moodle.csv",
            "canvas": f"{PAGE}/canvas-grades.csv",
        }.items()
    }
    assert found["grades"] == [
        ["ID number", "Email address", "Attendance"],
        ["S-1", "ada@example.edu", "100.00"],
        ["S-2", "ben@example.edu", "100.00"],
    ]
    assert found["session"] == [
        ["idnumber", "status", "email"],
        ["S-1", "P", "ada@example.edu"],
        ["S-2", "L", "ben@example.edu"],
    ]
    assert found["term"] == [
        ["sessiondate", "idnumber", "status", "remarks", "email"],
        ["2026-03-02 09:00", "S-1", "P", "", "ada@example.edu"],
        ["2026-03-02 09:00", "S-2", "L", "Left early", "ben@example.edu"],
    ]
    assert found["canvas"] == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Attendance"],
        ["    Points Possible", "", "", "", "", "100"],
        ["Ada Adams", "", "S-1", "ada@example.edu", "", "100.00"],
        ["Ben Brown", "", "S-2", "ben@example.edu", "", "100.00"],
    ]
    assert not browser.get(f"{PAGE}/canvas-grades.csv").data.startswith(b"\xef\xbb\xbf")


def test_who_is_unverified_is_not_told_of_and_a_formula_stays_text(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        enrol(
            writing, find_course(writing, COURSE), [RosterLine("=1+1", "=SUM(A1)", "cy@example.edu", "", "")]
        )
    browser.sign_in(INSTRUCTOR)
    assert "cy@example.edu" not in browser.get(f"{PAGE}/moodle-attendance.csv").text
    assert ["'=1+1", "cy@example.edu", ""] in rows(browser.get(f"{PAGE}/moodle-grades.csv").text)
    assert "'=SUM(A1)" in [row[0] for row in rows(browser.get(f"{PAGE}/canvas-grades.csv").text)]


def test_a_course_whose_code_holds_a_slash_has_its_report(browser: Browser, database: Database) -> None:
    class_of_sixteen(database)
    with database.writing() as writing:
        find_course(writing, COURSE).code = "MATH/101 é"
    from tests.portal.cast import add_accounts  # the course of the cast would be made anew before

    with database.writing() as writing:
        add_accounts(writing)
    browser.sign_in(ADMIN)
    link = re.search(r'href="(/reports/MATH/101[^"]+)"', browser.get("/reports").text)
    assert link is not None
    assert browser.get(link[1]).status_code == 200
    assert (
        browser.get(f"{link[1]}/report.csv")
        .headers["Content-Disposition"]
        .endswith('"MATH-101-attendance.csv"')
    )


@pytest.mark.parametrize(
    "path", ["/reports", PAGE, f"{PAGE}/turnout", f"{PAGE}/report.xlsx", f"{PAGE}/moodle-attendance.csv"]
)
def test_a_page_asks_no_more_however_many_sessions_there_are(
    browser: Browser, database: Database, meeting: int, path: str
) -> None:
    browser.sign_in(INSTRUCTOR)
    catch_up(database)
    browser.get(path)
    with counting(database) as few:
        browser.get(path)
    with database.writing() as writing:
        for week in range(1, 6):
            row = start_session(writing, COURSE, f"Week {week}", START + week * WEEK, 45)
            record(writing, row, [Seen(1, {"t": 1}), Seen(2, {"t": 1})])
    catch_up(database)
    with counting(database) as many:
        assert browser.get(path).status_code == 200
    # The workbook is two reports in one, and no page.
    assert len(many) == len(few) <= MOST + 2 * path.endswith(".xlsx")


def test_the_report_is_of_the_ledger_as_it_stands(database: Database, meeting: int) -> None:
    with database.reading() as reading:
        report = term_report(reading, COURSE, START + WEEK)
    assert [line.email for line in report.students] == ["ada@example.edu", "ben@example.edu"]
    assert (report.title, report.limit) == (None, None)
    assert not any(map(report.falls_short, report.students))
