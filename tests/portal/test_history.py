"""The history's pages, and its words."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from db.database import Database
from db.edits import NewEdit, edit_entry
from db.proof.history import HistoryPage, Names, Person
from db.proof.trail import Noted
from portal.history.kinds import KINDS
from portal.history.words import action_words, history_lines
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_COURSE,
    OTHER_INSTRUCTOR,
    STAFF,
    class_of_sixteen,
)
from tests.portal.conftest import Browser
from tests.portal.statements import MOST, counting


@pytest.fixture
def edited(database: Database, meeting: int) -> int:
    with database.writing() as writing:
        edit_entry(writing, NewEdit(meeting, "S-2", "he told me so", INSTRUCTOR, "late"))
    with database.writing() as writing:
        edit_entry(writing, NewEdit(meeting, "S-2", "a <b>note</b>", STAFF, "excused"))
    return meeting


def line(action: str, before: object, after: object, subject: str = "session:3") -> tuple[str, ...]:
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    noted = Noted(1, at, "a@b.c", action, subject, before, after, "", "0" * 64)  # type: ignore[arg-type]
    names = Names(students={17: Person("S-17", "Ann Adams")})
    return history_lines(HistoryPage((noted,), names, None))[0].changes


def test_office_reads_who_did_what_to_whom_before_and_after_and_why(browser: Browser, edited: int) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/history").text
    assert "Status: Late → Excused" in page
    assert "he told me so" in page
    assert "a &lt;b&gt;note&lt;/b&gt;" in page
    assert f'href="/sessions/{edited}/entries/S-2">Ben Brown (S-2)</a>' in page
    assert "Look stored" not in page
    assert "Look stored" in browser.get("/history?kind=machine").text


def test_a_session_has_a_history_of_its_own_also_for_its_instructor(browser: Browser, edited: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{edited}/history").text
    assert page.count("Entry edited") == 2
    assert "Enrolment" not in page
    assert "Look stored" in browser.get(f"/sessions/{edited}/history?kind=all").text


def test_instructors_read_the_history_of_their_courses_and_of_nothing_else(
    browser: Browser, edited: int
) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get("/history").text
    assert "Status: Late → Excused" in page
    assert OTHER_COURSE not in page
    assert OTHER_INSTRUCTOR not in page
    assert "Account" not in page.partition("<tbody>")[2]
    assert "Ben Brown" in browser.get("/history?student=S-2").text
    browser.sign_out("/history")
    browser.sign_in(OTHER_INSTRUCTOR)
    for query in ("", "?kind=all", "?session=1", "?who=stella", "?kind=accounts", "?kind=house"):
        page = browser.get(f"/history{query}").text
        assert "Excused" not in page
        assert "Ben Brown" not in page
        assert COURSE not in page.partition("</form>")[2]


@pytest.mark.parametrize(
    "query",
    [f"course={COURSE}", "course=NO-1", "student=S-2", "student=NO-1", f"course={COURSE}&student=S-2"],
)
def test_to_another_instructor_a_course_and_a_student_do_not_exist(
    browser: Browser, edited: int, query: str
) -> None:
    browser.sign_in(OTHER_INSTRUCTOR)
    answer = browser.get(f"/history?{query}")
    assert answer.status_code == 400
    name, _, value = query.partition("&")[0].partition("=")
    assert f"There is no {name} &#39;{value}&#39;." in answer.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("who=stella", True),
        ("who=nobody", False),
        ("kind=entries", True),
        ("kind=reviews", False),
        (f"course={COURSE}", True),
        ("course=CHEM-7", False),
        ("session=1", True),
        ("session=2", False),
        ("student=S-2", True),
        ("student=S-1", False),
        ("from=2026-03-01", True),
        ("to=2026-03-01", False),
    ],
)
def test_filters_narrow_it(browser: Browser, edited: int, query: str, shown: bool) -> None:
    browser.sign_in(ADMIN)
    answer = browser.get(f"/history?{query}")
    assert answer.status_code == 200
    assert ("Status: Late → Excused" in answer.text) is shown


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("session=abc", "Session &#39;abc&#39; is no number"),
        ("course=NO-1", "There is no course &#39;NO-1&#39;."),
        ("student=NO-1", "There is no student &#39;NO-1&#39;."),
        ("from=x", "From &#39;x&#39; is no date"),
        ("session=99999999999999999999", "is no number"),
    ],
)
def test_what_cannot_be_looked_for_is_one_line_and_stays_in_the_form(
    browser: Browser, meeting: int, query: str, line: str
) -> None:
    browser.sign_in(ADMIN)
    answer = browser.get(f"/history?{query}")
    assert answer.status_code == 400
    assert line in answer.text
    assert f'value="{query.partition("=")[2][:20]}' in answer.text


def test_it_is_paged_by_row_and_asks_no_more_for_a_long_one(browser: Browser, database: Database) -> None:
    class_of_sixteen(database)
    with database.writing() as writing:
        from tests.portal.cast import add_accounts  # of the course that is there

        add_accounts(writing)
    browser.sign_in(ADMIN)
    with counting(database) as said:
        first = browser.get("/history?kind=all").text
    assert len(said) <= MOST
    older = re.search(r'href="(/history\?[^"]*before=\d+)"', first)
    assert older is not None
    second = browser.get(older[1].replace("&amp;", "&")).text
    rows = [set(re.findall(r'id="row-(\d+)"', page)) for page in (first, second)]
    assert [len(found) for found in rows] == [50, 50]
    assert not rows[0] & rows[1]
    with counting(database) as said:
        browser.get("/history?student=2026-1001&course=MATH-101&session=1")
    assert len(said) <= MOST
    with counting(database) as said:
        browser.get("/sessions/1/history?kind=all")
    assert len(said) <= MOST


def test_everything_that_is_noted_is_of_a_kind() -> None:
    root = Path(__file__).parents[2]
    files = (path for folder in ("db", "portal", "recognizer") for path in (root / folder).rglob("*.py"))
    # Actions are a noun and a participle.
    noted = re.compile(r'\b(?:note(?:_record)?|Change)\([^()]*?"([a-z]+)\.[a-z_]+"')
    nouns = {noun for path in files for noun in noted.findall(path.read_text(encoding="utf-8"))}
    assert nouns > {"picture", "evidence", "look"}
    assert nouns <= {noun for _, found in KINDS.values() for noun in found}


def test_states_are_told_in_words() -> None:
    assert line("ledger.folded", {"17": "absent"}, {"17": "present"}) == ("Ann Adams: Absent → Present",)
    assert line("user.deactivated", {"active": True}, {"active": False}) == ("Active: yes → no",)
    assert line("review.settled", {"student": None}, {"student": 17, "digest": "x"}) == (
        "Student: – → Ann Adams",
    )
    assert line("x.made", None, {"starts_at": "2026-03-02T08:00:00.000000+00:00", "note": None}) == (
        "Starts at: Mon 2 Mar 2026, 08:00:00",
    )
    assert line("x.removed", {"name": "y", "scopes": ["a", "b"]}, None) == ("Name: y", "Scopes: a, b")
    assert line("x.changed", {"a": 0.5, "b": 1}, {"b": {"c": 1}}) == ("A: 0.5 → –", "B: 1 → {'c': 1}")


def test_actions_that_nobody_foresaw_read_well_too() -> None:
    told = [action_words(action) for action in ("user.password_changed", "photo.added", "odd")]
    assert told == ["Account password changed", "Photo added", "Odd"]
