"""A course over a term, on SQLite and on a real MariaDB."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select

from db.database import Database
from db.edits import NewEdit, edit_entry
from db.errors import NotFoundError
from db.excuses import add_excuse
from db.ledger import catch_up, refold
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import RosterLine, enrol, make_course
from db.schema import Enrolment, FaceRow
from db.sessions import find_session, start_session
from db.term import TermReport, term_report
from tests.conftest import START

WEEK, LATER = timedelta(days=7), START + timedelta(days=365)


class Term:
    """A course of Ann, Ben and Cas that meets once a week."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            course = make_course(session, "BIO", "Europe/Berlin")
            lines = [RosterLine(f"No-{name}", name, "", "", "") for name in ("Ann", "Ben", "Cas")]
            people = enrol(session, course, lines)
            self.ids = {student.name: student.id for student in people}
            for key in self.ids.values():
                face = {"engine": "local", "model": "m", "photo": "p.png", "photo_sha256": "0" * 64}
                session.add(FaceRow(face_id=f"face-{key}", student_id=key, indexed_at=START, **face))

    def plan(self, week: int) -> int:
        with self.database.writing() as session:
            return start_session(session, "BIO", f"Week {week}", START + week * WEEK, 45).id

    def hold(self, week: int, *present: str, late: str = "") -> int:
        """A session with a look a minute; `late` comes in the middle of it."""
        key = self.plan(week)
        begins = START + week * WEEK
        with self.database.writing() as session:
            looks = []
            for minute in range(45):
                seen = [*present, late] if late and minute > 20 else present
                tracks = {name: f"track-{name}" for name in seen}
                at = begins + timedelta(minutes=minute)
                namings = tuple(
                    NewNaming(track, "named", self.ids[name], None, 97.0, None, None, 90.0, 2, "local", "m")
                    for name, track in tracks.items()
                )
                sightings = tuple(NewSighting(track, (0, 0, 9, 9)) for track in tracks.values())
                looks.append(
                    NewLook(key, f"{week}-{minute}", at, at, "none", len(seen), 0, 0, sightings, namings)
                )
            record_looks(session, looks)
        catch_up(self.database)
        return key

    def report(
        self, now: datetime = LATER, from_at: datetime | None = None, until_at: datetime | None = None
    ) -> TermReport:
        with self.database.reading() as session:
            return term_report(session, "BIO", now, from_at, until_at)

    def statuses(self) -> dict[str, tuple[str | None, ...]]:
        return {line.name: line.statuses for line in self.report().students}


@pytest.fixture
def term(database: Database) -> Term:
    return Term(database)


def test_who_came_to_which_session_and_how_often(term: Term) -> None:
    term.hold(0, "Ann", "Ben")
    term.hold(1, "Ann", late="Ben")
    term.hold(2, "Ann", "Cas")
    report = term.report()
    assert {line.name: line.statuses for line in report.students} == {
        "Ann": ("present", "present", "present"),
        "Ben": ("present", "late", "absent"),
        "Cas": ("absent", "absent", "present"),
    }
    ann, ben, cas = report.students
    assert [(line.attended, line.counted) for line in (ann, ben, cas)] == [(3, 3), (2, 3), (1, 3)]
    assert ben.share == pytest.approx(2 / 3)
    assert ann.minutes > ben.minutes > cas.minutes > 40
    assert ben.counts == {"present": 1, "late": 1, "absent": 1}
    assert [one.counts for one in report.sessions] == [
        {"present": 2, "absent": 1},
        {"present": 1, "late": 1, "absent": 1},
        {"present": 2, "absent": 1},
    ]
    assert [one.share for one in report.sessions] == [pytest.approx(2 / 3)] * 3
    assert [one.title for one in report.sessions] == ["Week 0", "Week 1", "Week 2"]


def test_excused_and_unverified_sessions_count_for_nobody(term: Term) -> None:
    with term.database.writing() as session:
        add_excuse(session, "No-Ann", "BIO", START, START + WEEK, "a trip", "bea@x.example")
    term.hold(0, "Ben")
    key = term.hold(1, "Ann", "Ben")
    with term.database.writing() as session:
        edit_entry(session, NewEdit(key, "No-Cas", "cannot tell", "bea@x.example", status="unverified"))
        refold(session, find_session(session, key))
    ann, _, cas = term.report().students
    assert (ann.statuses, ann.attended, ann.counted) == (("excused", "present"), 1, 1)
    assert (cas.statuses, cas.attended, cas.counted) == (("absent", "unverified"), 0, 1)
    assert [(one.attended, one.counted) for one in term.report().sessions] == [(1, 2), (2, 2)]


def test_sessions_before_a_late_enrolment_are_not_held_against_a_student(term: Term) -> None:
    term.hold(0, "Ann")
    with term.database.writing() as session:
        row = session.scalars(select(Enrolment).where(Enrolment.student_id == term.ids["Cas"])).one()
        row.enrolled_at = START + timedelta(days=1)
        refold(session, find_session(session, 1))
    term.hold(1, "Ann", "Cas")
    cas = term.report().students[2]
    assert (cas.statuses, cas.attended, cas.counted) == ((None, "present"), 1, 1)


def test_a_session_that_nobody_held_counts_for_nobody(term: Term) -> None:
    term.hold(0, "Ann", "Ben", "Cas")
    term.plan(1)
    with term.database.writing() as session:
        # An excuse for a day to come makes entries of the session, which is not held by that.
        add_excuse(session, "No-Ann", "BIO", START + WEEK, START + 2 * WEEK, "a trip", "bea@x.example")
    catch_up(term.database)
    report = term.report()
    assert [one.held for one in report.sessions] == [True, False]
    assert [line.statuses for line in report.students] == [("present", None)] * 3
    assert (report.sessions[1].counts, report.sessions[1].share) == ({}, None)


def test_a_session_to_come_is_left_out_until_staff_write_about_it(term: Term) -> None:
    term.hold(0, "Ann", "Ben", "Cas")
    key = term.plan(1)
    with term.database.writing() as session:
        add_excuse(session, "No-Ann", "BIO", START + WEEK, START + 2 * WEEK, "a trip", "bea@x.example")
    catch_up(term.database)
    before = START + WEEK - timedelta(seconds=1)
    report = term.report(before)
    assert [one.title for one in report.sessions] == ["Week 0"]
    assert [line.statuses for line in report.students] == [("present",)] * 3
    assert [one.title for one in term.report(START + WEEK).sessions] == ["Week 0", "Week 1"]
    with term.database.writing() as session:
        edit_entry(session, NewEdit(key, "No-Ben", "told so", "bea@x.example", status="present"))
        refold(session, find_session(session, key))
    assert [one.held for one in term.report(before).sessions] == [True, True]


def test_a_session_that_only_staff_know_of_was_held(term: Term) -> None:
    key = term.plan(0)
    with term.database.writing() as session:
        edit_entry(session, NewEdit(key, "No-Ann", "the agent was off", "bea@x.example", status="present"))
        refold(session, find_session(session, key))
    assert term.report().sessions[0].held
    assert term.statuses() == {"Ann": ("present",), "Ben": ("unverified",), "Cas": ("unverified",)}


def test_a_running_session_is_shown_and_not_counted(term: Term) -> None:
    term.hold(0, "Ann", "Ben", "Cas")
    term.hold(1, "Ann")
    report = term.report(now=START + WEEK + timedelta(minutes=10))
    assert [one.running for one in report.sessions] == [False, True]
    assert [(line.attended, line.counted) for line in report.students] == [(1, 1)] * 3
    assert report.students[1].statuses == ("present", "absent")


def test_who_left_the_roster_keeps_what_is_on_record(term: Term) -> None:
    term.hold(0, "Ann", "Ben")
    with term.database.writing() as session:
        row = session.scalars(select(Enrolment).where(Enrolment.student_id == term.ids["Ben"])).one()
        session.delete(row)
    term.hold(1, "Ann")
    assert term.statuses() == {
        "Ann": ("present", "present"),
        "Ben": ("present", None),
        "Cas": ("absent", "absent"),
    }


def test_only_the_sessions_of_the_time_asked_for_are_told(term: Term) -> None:
    for week in range(4):
        term.plan(week)
    report = term.report(from_at=START + WEEK, until_at=START + 3 * WEEK)
    assert [one.title for one in report.sessions] == ["Week 1", "Week 2"]


def test_a_course_that_is_none_is_one_clear_error(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFoundError, match="no course 'XXX'"):
        term_report(session, "XXX", LATER)


def test_the_number_of_statements_does_not_grow(database: Database) -> None:
    term = Term(database)
    term.hold(0, "Ann")
    few = _statements(database)
    with database.writing() as session:
        course = make_course(session, "BIO")
        enrol(session, course, [RosterLine(f"N{n}", f"N{n}", "", "", "") for n in range(40)])
    for week in range(1, 6):
        term.hold(week, "Ben")
    assert _statements(database) == few


def _statements(database: Database) -> int:
    counted: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    event.listen(database.engine, "before_cursor_execute", count)
    with database.reading() as session:
        report = term_report(session, "BIO", LATER)
    event.remove(database.engine, "before_cursor_execute", count)
    assert report.students
    return len(counted)
