"""What a roster file would change, and that exactly this is done."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from db.database import Database
from db.due import due_sessions
from db.people import RosterLine, enrol, find_course, make_course
from db.proof.records import check_records
from db.roster import (
    ImportConflictError,
    RosterPlan,
    apply_roster,
    lock_course,
    members_of,
    plan_roster,
    remove_from_roster,
)
from db.roster_file import RosterFile, parse_roster
from db.schema import Student
from tests.db.classroom import Classroom

WHO = "al@x.example"
COLUMNS = ("student_no", "name", "email")


@pytest.fixture
def classroom(database: Database) -> Classroom:
    """BIO with Ann (A) and Ben (B)."""
    return Classroom(database)


def file(*rows: str, header: str = "student_no,name,email,enrolled_on") -> RosterFile:
    return parse_roster("\n".join([header, *rows]).encode(), "the file", COLUMNS)


def plan(
    database: Database, read: RosterFile, may_correct: bool = True, visible: frozenset[int] | None = None
) -> RosterPlan:
    with database.reading() as reading:
        return plan_roster(reading, find_course(reading, "BIO"), read, may_correct, visible)


def apply(database: Database, read: RosterFile, digest: str, *removals: str) -> None:
    with database.writing() as writing:
        course = lock_course(writing, "BIO")
        again = plan_roster(writing, course, read, True, None)
        apply_roster(writing, course, again, digest, removals, WHO)


def roster(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as reading:
        check_records(reading)
        members = members_of(reading, find_course(reading, "BIO").id)
        return [(member.student_no, member.name, member.email) for member in members]


def test_a_file_is_held_against_the_roster_and_done_as_shown(
    database: Database, classroom: Classroom
) -> None:
    with database.writing() as writing:
        enrol(writing, make_course(writing, "CHE"), [RosterLine("D", "Dora", "d@x.example", "", "")])
    read = file(
        "A,Ann Adams,A@X.example,",  # another name
        "C,Cem,c@x.example,2026-12-01",  # nobody knows him
        "D,Dora,d@x.example,",  # known from another course
    )
    found = plan(database, read)
    assert [(one.kind, one.line.student_no, dict(one.before)) for one in found.changes] == [
        ("changed", "A", {"name": "Ann"}),
        ("new", "C", {}),
        ("added", "D", {}),
    ]
    assert [member.student_no for member in found.missing] == ["B"]
    apply(database, read, found.digest)
    assert roster(database) == [
        ("A", "Ann Adams", "a@x.example"),
        ("B", "Ben", "b@x.example"),
        ("C", "Cem", "c@x.example"),
        ("D", "Dora", "d@x.example"),
    ]
    again = plan(database, read)
    assert again.changes_nothing
    apply(database, read, again.digest, "B", "A")  # who is in the file stays, whatever is ticked
    assert [number for number, _, _ in roster(database)] == ["A", "C", "D"]


def test_what_is_not_as_it_was_shown_is_not_done(database: Database, classroom: Classroom) -> None:
    read = file("A,Ann Adams,a@x.example,", "C,Cem,c@x.example,")
    found = plan(database, read)
    with database.writing() as writing:
        enrol(writing, find_course(writing, "BIO"), [RosterLine("C", "Cem Can", "", "", "")])
    with pytest.raises(ImportConflictError):
        apply(database, read, found.digest)
    assert roster(database)[0] == ("A", "Ann", "a@x.example")


def test_a_day_of_enrolment_that_changes_is_shown_as_it_was(database: Database, classroom: Classroom) -> None:
    read = file("A,Ann,a@x.example,2026-11-01", "B,Ben,b@x.example,")
    found = plan(database, read)
    assert [(one.kind, dict(one.before)) for one in found.changes] == [
        ("changed", {"enrolled_on": ""}),
        ("unchanged", {}),
    ]
    apply(database, read, found.digest)
    assert plan(database, read).changes_nothing
    later = plan(database, file("A,Ann,a@x.example,2026-11-02"))
    assert dict(later.changes[0].before) == {"enrolled_on": "2026-11-01"}


def test_all_that_is_wrong_is_told_by_line_and_nothing_is_done(
    database: Database, classroom: Classroom
) -> None:
    read = file("A,,ann.example,", "S 1,Eve,,", "C,Cem,,soon", "C,Cem,,", "D,Doe, Jo,d@x,", ",Flo,,")
    found = plan(database, read)
    assert [(one.line, one.student_no) for one in found.problems] == [
        (2, "A"),
        (2, "A"),
        (3, "S 1"),
        (4, "C"),
        (5, "C"),
        (6, "D"),
        (7, ""),
    ]
    assert [member.student_no for member in found.missing] == ["B"]
    with pytest.raises(ImportConflictError):
        apply(database, read, found.digest)


def test_an_instructor_adds_students_and_corrects_none(database: Database, classroom: Classroom) -> None:
    with database.writing() as writing:
        enrol(writing, make_course(writing, "CHE"), [RosterLine("D", "Dora", "d@x.example", "", "")])
        bio = find_course(writing, "BIO").id
    read = file("A,Anna,a@x.example,", "C,Cem,c@x.example,", "D,Theodora,d@y.example,")
    found = plan(database, read, may_correct=False, visible=frozenset({bio}))
    assert [(one.kind, one.line.student_no) for one in found.changes] == [("new", "C")]
    ann, dora = (one.text for one in found.problems)
    assert "staff can change that" in ann
    assert "'Ann'" in ann
    # Of who is on none of their courses, nothing on record is told.
    assert "cannot be added as the file has them" in dora
    assert "name" not in dora
    assert "Dora'" not in dora
    assert "d@x.example" not in dora


def test_who_was_removed_for_good_is_not_brought_back_by_a_file(
    database: Database, classroom: Classroom
) -> None:
    with database.writing() as writing:
        ann = writing.scalars(select(Student).where(Student.student_no == "A")).one()
        ann.removed_at = datetime(2026, 11, 1, tzinfo=UTC)
    (problem,) = plan(database, file("A,Ann,a@x.example,")).problems
    assert "data erased" in problem.text


def test_a_student_who_is_taken_off_leaves_their_entries_and_is_expected_no_more(
    database: Database, classroom: Classroom
) -> None:
    classroom.look(1, "t1", namings=classroom.named("t1", classroom.ann))
    with database.writing() as writing:
        course = lock_course(writing, "BIO")
        assert remove_from_roster(writing, course, ["B"], WHO, "left the institute") == 1
        assert remove_from_roster(writing, course, ["B"], WHO) == 0
        assert due_sessions(writing) == [classroom.id]
    assert [number for number, _, _ in roster(database)] == ["A"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_is_read_whatever_a_spreadsheet_separates_by(delimiter: str) -> None:
    text = "student_no,name,email\nS1,Ann,a@x.example\n".replace(",", delimiter)
    (line,) = parse_roster(text.encode("utf-8-sig"), "the file", COLUMNS).lines.values()
    assert (line.student_no, line.name, line.email) == ("S1", "Ann", "a@x.example")
