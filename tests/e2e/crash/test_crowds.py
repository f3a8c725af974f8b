"""Fifty programs at once on one session and on one row, on SQLite and on MariaDB."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.database import Database
from db.people import RosterLine, enrol, make_course
from tests.e2e.crash.crew import LONG_MINUTES, written_one_by_one
from tests.e2e.crash.killing import Said
from tests.e2e.crash.nursery import Nursery
from tests.e2e.crash.proof import prove_whole, taken
from tests.e2e.crash.school import ledger_of, new_session

PROGRAMS = 50
LOOKS_EACH = 3


@dataclass(frozen=True, slots=True)
class Class:
    """Six students without faces. `environment`: with which a program finds their database."""

    database: Database
    student_ids: list[int]
    environment: Mapping[str, str]


@pytest.fixture
def group(database: Database, database_url: str, tmp_path: Path) -> Class:
    lines = [RosterLine(f"S{number}", f"Student {number}", "", "", "") for number in range(6)]
    with database.writing() as session:
        students = enrol(session, make_course(session, "BIO"), lines)
        ids = [student.id for student in students]
    return Class(database, ids, {"GRIDROLL_HOME": str(tmp_path), "GRIDROLL_DATABASE_URL": database_url})


def test_fifty_writers_lose_no_look_and_fifty_editors_of_one_entry_no_edit(
    nursery: Nursery, group: Class, tmp_path: Path
) -> None:
    session_id, edited_id = (new_session(group.database, LONG_MINUTES) for _ in range(2))
    count, output = PROGRAMS * LOOKS_EACH, tmp_path / "programs"
    children = [
        nursery.start(
            "tests.e2e.crash.programs:write_and_edit",
            *(session_id, group.student_ids),
            # Each hands in one look of its neighbour's, too.
            [number % count for number in range(first, first + LOOKS_EACH + 1)],
            *(first % 5 == 0, edited_id, f"staff{first}@x.example"),
            output=output,
            environment=group.environment,
        )
        for first in range(0, count, LOOKS_EACH)
    ]
    assert [child.wait(120) for child in children] == [0] * PROGRAMS, output.read_text()
    prove_whole(group.database)

    looks = taken(group.database, session_id)
    assert (len(looks), set(looks.values())) == (count, {1})
    undisturbed = written_one_by_one(group.database, group.student_ids, count)
    assert ledger_of(group.database, session_id) == undisturbed

    said = Said(output)
    (winner,) = [line for line in said.done if "@" in line]
    told = [line for line in said.lines if line.startswith("told ")]
    assert len(told) == PROGRAMS - 1
    assert all(line.startswith(f"told {winner} edited the entry of Student 1") for line in told)
    (entry,) = [one for one in ledger_of(group.database, edited_id)["students"] if one["student_no"] == "S1"]
    assert (entry["version"], entry["status"], entry["source"]) == (2, "late", "staff")
