"""Lists for programs: in slices, each behind the one before, and of what the token reaches only."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event

from db.database import Database
from db.people import RosterLine, enrol, make_course
from db.sessions import start_session
from tests.portal.api.conftest import Makes, Program
from tests.portal.cast import COURSE, INSTRUCTOR, OTHER_COURSE, OTHER_INSTRUCTOR, START


def walk(program: Program, path: str, key: str) -> list[object]:
    found: list[object] = []
    address: str | None = path
    while address is not None:
        answer = program.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        found += [line[key] for line in answer.json["items"]]
        address = answer.json["next"]
    return found


def plan(database: Database, course: str, days: int) -> int:
    with database.writing() as writing:
        return start_session(writing, course, f"day {days}", START + timedelta(days), 45).id


def test_a_list_is_walked_slice_by_slice_and_ends(program: Program, database: Database) -> None:
    ids = [plan(database, COURSE, days // 2) for days in range(2, 9)]  # two each begin at the same moment
    assert walk(program, "/sessions?limit=3", "id") == [*reversed(ids), 1]


def test_what_is_added_meanwhile_neither_repeats_nor_skips_a_line(
    program: Program, database: Database
) -> None:
    ids = [plan(database, COURSE, days) for days in range(1, 6)]
    first = program.get("/sessions?limit=2").json
    assert first is not None
    plan(database, COURSE, 9)
    rest = walk(program, first["next"], "id")
    assert [line["id"] for line in first["items"]] + rest == [*reversed(ids), 1]


def test_a_slice_keeps_what_was_asked_for(program: Program, database: Database) -> None:
    for days in range(1, 4):
        plan(database, OTHER_COURSE, days)
        plan(database, COURSE, days)
    found = walk(
        program, f"/sessions?limit=1&course={OTHER_COURSE}&starts_before=2026-03-05T00:00:00%2B01:00", "title"
    )
    assert found == ["day 2", "day 1"]


@pytest.mark.parametrize(
    ("path", "key", "all_of_it", "ines", "otto"),
    [
        ("/sessions", "id", [1], [1], []),
        ("/students", "student_no", ["S-1", "S-2"], ["S-1", "S-2"], []),
        ("/courses", "code", [OTHER_COURSE, COURSE], [COURSE], [OTHER_COURSE]),
        ("/reviews?state=all", "session_id", [1], [1], []),
    ],
)
def test_a_list_holds_what_the_token_reaches(
    program: Program,
    program_of: Makes,
    path: str,
    key: str,
    all_of_it: list[object],
    ines: list[object],
    otto: list[object],
) -> None:
    assert walk(program, path, key) == all_of_it
    assert walk(program_of(INSTRUCTOR), path, key) == ines
    assert walk(program_of(OTHER_INSTRUCTOR), path, key) == otto
    # An office's token that was made for one course reaches that one alone.
    assert walk(program_of(course=OTHER_COURSE), path, key) == otto


def test_entries_of_a_session_are_walked_too(program: Program) -> None:
    assert walk(program, "/sessions/1/attendance?limit=1", "student_no") == ["S-1", "S-2"]


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "WyJhIl0", "bnVsbA", "eyJhIjoxfQ", "%ff", "a" * 401, "WyIyMDI2IiwgMV0"]
)
@pytest.mark.parametrize("path", ["/sessions", "/reviews"])
def test_a_cursor_that_is_none_of_the_list_is_refused(program: Program, path: str, cursor: str) -> None:
    answer = program.get(f"{path}?cursor={cursor}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many", ""])
def test_a_limit_out_of_range_is_refused(program: Program, limit: str) -> None:
    assert program.get(f"/students?limit={limit}").status_code == 422


@pytest.mark.parametrize(
    "path", ["/sessions", "/students", "/courses", "/reviews?state=all", "/sessions/1/attendance"]
)
def test_no_list_asks_more_of_the_ledger_when_it_is_longer(
    app: Flask, program: Program, database: Database, path: str
) -> None:
    def statements() -> int:
        asked: list[str] = []

        def note(*args: object) -> None:
            asked.append(str(args[2]))

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            assert program.get(path).status_code == 200
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        return len(asked)

    program.get(path)
    before = statements()
    with database.writing() as writing:
        course = make_course(writing, COURSE)
        enrol(writing, course, [RosterLine(f"N-{one}", f"Nn {one}", "", "", "") for one in range(30)])
        for number in range(30):
            make_course(writing, f"C-{number}")
            start_session(writing, COURSE, "more", START + timedelta(number), 30)
    program.get(path)
    after = statements()
    assert after <= before <= 12
