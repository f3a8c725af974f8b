from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db.database import Database
from db.errors import DatabaseError
from db.schema import Consent, Course, Student


def add_student(database: Database, student_no: str) -> int:
    with database.writing() as session:
        student = Student(student_no=student_no, name="Åsa Öberg 陳", email="a@b.example")
        session.add(student)
        session.flush()
        return student.id


def test_moments_keep_their_microseconds_and_come_back_in_utc(database: Database) -> None:
    student_id = add_student(database, "S1")
    given = datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.writing() as session:
        session.add(Consent(student_id=student_id, note="n", given_at=given))
    with database.reading() as session:
        held = session.scalars(select(Consent)).one().given_at
    assert held == given
    assert held.tzinfo is UTC
    assert held.microsecond == 123456


def test_a_moment_without_a_time_zone_is_refused(database: Database) -> None:
    student_id = add_student(database, "S1")
    with pytest.raises(DatabaseError, match="time zone"), database.writing() as session:
        session.add(Consent(student_id=student_id, note="n", given_at=datetime(2026, 3, 1, 9, 30)))  # noqa: DTZ001


@pytest.mark.parametrize("other", ["s1", "S1 ", "Š1"])
def test_identifiers_that_differ_at_all_are_different(database: Database, other: str) -> None:
    assert add_student(database, "S1") != add_student(database, other)
    with database.reading() as session:
        assert session.scalars(select(Student.student_no).where(Student.student_no == other)).all() == [other]


def test_the_same_identifier_twice_is_refused(database: Database) -> None:
    add_student(database, "S1")
    with pytest.raises(DatabaseError) as error:
        add_student(database, "S1")
    assert isinstance(error.value.__cause__, IntegrityError)


def test_an_identifier_that_does_not_fit_is_refused_rather_than_cut(database: Database) -> None:
    with pytest.raises(DatabaseError, match="at most 64 fit"):
        add_student(database, "S" * 65)


def test_names_of_all_scripts_survive(database: Database) -> None:
    add_student(database, "S1")
    with database.reading() as session:
        assert session.scalars(select(Student.name)).one() == "Åsa Öberg 陳"


def test_shares_are_kept_in_double_precision(database: Database) -> None:
    with database.writing() as session:
        share = 0.123456789012345
        session.add(Course(code="X", time_zone="UTC", late_after_s=1, left_early_s=1, min_presence=share))
    with database.reading() as session:
        assert session.scalars(select(Course.min_presence)).one() == share
