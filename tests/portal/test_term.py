"""`gridroll term`, and the term as JSON, CSV and XLSX."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from db.database import Database
from db.due import due_sessions, mark_due
from db.errors import GridrollError, NotFoundError
from db.term import TermReport, term_report
from portal.errors import PortalError
from portal.term_commands import term
from portal.term_files import term_csv, term_json, term_xlsx
from portal.term_table import term_text
from tests.portal.cast import COURSE, START, class_of_two


@pytest.fixture
def report(database: Database, meeting: int) -> TermReport:
    with database.reading() as reading:
        return term_report(reading, COURSE, START + timedelta(days=30))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database) -> Path:
    monkeypatch.setenv("GRIDROLL_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(term, list(map(str, arguments)), catch_exceptions=True)


def renamed(report: TermReport, name: str) -> TermReport:
    first, *others = report.students
    (session,) = report.sessions
    return replace(
        report,
        students=(replace(first, name=name, student_no=name), *others),
        sessions=(replace(session, title=name),),
    )


def test_json_has_exactly_the_promised_shape(report: TermReport, meeting: int) -> None:
    assert term_json(report) == {
        "course": COURSE,
        "time_zone": "Europe/Berlin",
        "sessions": [
            {
                "id": meeting,
                "title": "Limits",
                "starts_at": "2026-03-02T08:00:00.000000Z",
                "ends_at": "2026-03-02T08:45:00.000000Z",
                "held": True,
                "running": False,
                "counts": {"present": 1, "left_early": 1},
                "attended": 2,
                "counted": 2,
                "share": 1.0,
            }
        ],
        "students": [
            {
                "student_no": "S-1",
                "name": "Ada Adams",
                "statuses": ["present"],
                "counts": {"present": 1},
                "attended": 1,
                "counted": 1,
                "share": 1.0,
                "minutes": 45.0,
            },
            {
                "student_no": "S-2",
                "name": "Ben Brown",
                "statuses": ["left_early"],
                "counts": {"left_early": 1},
                "attended": 1,
                "counted": 1,
                "share": 1.0,
                "minutes": 20.0,
            },
        ],
    }


def test_csv_has_a_column_for_each_session(report: TermReport, meeting: int) -> None:
    heading, ada, ben = csv.reader(io.StringIO(term_csv(report)))
    assert heading[-1] == f"2026-03-02 09:00 #{meeting}"
    found = dict(zip(heading, ben, strict=True))
    assert (found["name"], found["left_early"], found["absent"]) == ("Ben Brown", "1", "0")
    assert (found["attended_pct"], found["minutes"]) == ("100.0", "20.0")
    assert (ada[-1], ben[-1]) == ("present", "left_early")


def test_a_workbook_has_the_students_and_the_sessions(report: TermReport, meeting: int) -> None:
    book = load_workbook(io.BytesIO(term_xlsx(report)))
    assert book.sheetnames == ["Students", "Sessions"]
    rows = list(book["Students"].iter_rows(values_only=True))
    assert rows[0][-1] == f"2026-03-02 09:00 #{meeting}"
    assert (rows[2][1], rows[2][-1]) == ("Ben Brown", "Left early")
    session = list(book["Sessions"].iter_rows(values_only=True))[1]
    assert session[:3] == (meeting, "Limits", datetime(2026, 3, 2, 9))  # noqa: DTZ001 - a cell has no zone


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-2", "@SUM(A1)", " =1", "\t=1"])
def test_no_name_becomes_a_formula(report: TermReport, name: str) -> None:
    found = renamed(report, name)
    cells = list(csv.reader(io.StringIO(term_csv(found))))[1]
    assert cells[0] == cells[1] == f"'{name}"
    book = load_workbook(io.BytesIO(term_xlsx(found)))
    for cell in (book["Students"]["A2"], book["Students"]["B2"], book["Sessions"]["B2"]):
        assert (cell.data_type, cell.value) == ("s", name)


def test_a_table_has_a_letter_for_each_session(database: Database, meeting: int, report: TermReport) -> None:
    text = term_text(report)
    assert "Ben Brown" in text
    (line,) = [line for line in text.splitlines() if line.startswith("Ben Brown")]
    assert line.split()[3] == "E"


@pytest.mark.parametrize(("kind", "size"), [("table", 200), ("json", 400), ("csv", 150), ("xlsx", 3000)])
def test_a_term_goes_to_a_file_when_asked(home: Path, meeting: int, kind: str, size: int) -> None:
    target = home / f"term.{kind}"
    result = run(COURSE, "--format", kind, "--output", target)
    assert (result.exit_code, result.stdout) == (0, ""), result.exception
    assert target.stat().st_size > size


@pytest.mark.parametrize(
    ("edges", "sessions"),
    [
        ((), 1),
        (("--from", "2026-03-02", "--to", "2026-03-02"), 1),  # the day itself is meant
        (("--from", "2026-03-02T09:00:00+01:00"), 1),  # the very moment at which it begins
        (("--from", "2026-03-02T09:00:01+01:00"), 0),
        (("--to", "2026-03-02T09:00:00+01:00"), 0),
        (("--to", "2026-03-01"), 0),
        (("--from", "2026-03-03"), 0),
    ],
)
def test_dates_are_days_of_the_course(
    home: Path, meeting: int, edges: tuple[str, ...], sessions: int
) -> None:
    result = run(COURSE, "--format", "json", *edges)
    assert result.exit_code == 0, result.exception
    assert len(json.loads(result.stdout)["sessions"]) == sessions


def test_what_is_due_is_folded_before_it_is_told(home: Path, database: Database) -> None:
    class_of_two(database)
    with database.writing() as session:
        mark_due(session, [1])
    assert run(COURSE, "--format", "csv").exit_code == 0
    with database.reading() as session:
        assert due_sessions(session) == []


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [(("XXX",), NotFoundError), ((COURSE, "--from", "soon"), GridrollError)],
)
def test_what_cannot_be_is_one_clear_error(
    home: Path, meeting: int, arguments: tuple[str, ...], kind: type[Exception]
) -> None:
    assert isinstance(run(*arguments).exception, kind)


def test_a_file_that_cannot_be_written_is_one_clear_error(home: Path, meeting: int) -> None:
    result = run(COURSE, "--output", home / "missing" / "term.txt")
    assert isinstance(result.exception, PortalError)


def test_a_term_without_sessions_says_so(home: Path, meeting: int) -> None:
    assert "No session begins in this time." in run(COURSE, "--from", datetime(2030, 1, 1, tzinfo=UTC)).stdout
