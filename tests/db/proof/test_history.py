"""The audit chain page by page, on SQLite and on a real MariaDB."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.audit import SYSTEM, note
from db.database import Database
from db.people import RosterLine, enrol, make_course
from db.proof.history import HistoryPage, Wanted, history_page
from db.schema import ReviewRow
from db.sessions import start_session
from tests.conftest import START

ALL = Wanted()
ANN, SUE = "ann@x.example", "sue@x.example"


class Past:
    """Two courses with a session each, a student in both, and one review. `bio`, `art`: ids of course and session."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            self.bio, self.art = self._begin(session, "BIO"), self._begin(session, "ART")
            review = ReviewRow(session_id=self.art[1], kind="unknown_face", subject="t1", at=START)
            review.settled_student_id = self.student
            session.add(review)
            session.flush()
            subject = f"session:{self.art[1]}/review:{review.id}"
            note(session, SUE, "review.settled", subject, {"state": "open"}, {"student": self.student})

    def _begin(self, session: Session, code: str) -> tuple[int, int]:
        course = make_course(session, code, "Europe/Berlin", ANN)
        (student,) = enrol(session, course, [RosterLine("S1", "Ann Adams", "", "", "")], ANN)
        self.student = student.id
        row = start_session(session, code, f"{code} cells", START, 45, ANN)
        note(session, SYSTEM, "look.stored", f"session:{row.id}/look:abc", None, {"digest": "0"})
        return course.id, row.id

    def page(self, wanted: Wanted = ALL, before: int | None = None, limit: int = 50) -> HistoryPage:
        with self.database.reading() as session:
            return history_page(session, wanted, before, limit)

    def told(self, wanted: Wanted) -> list[str]:
        return [f"{row.action} {row.subject}" for row in self.page(wanted).rows]


@pytest.fixture
def past(database: Database) -> Past:
    return Past(database)


def test_pages_follow_each_other_without_gap_or_repetition(past: Past) -> None:
    whole = [row.seq for row in past.page().rows]
    assert whole == sorted(whole, reverse=True)
    found, before = list[int](), None
    while True:
        page = past.page(before=before, limit=3)
        found += [row.seq for row in page.rows]
        before = page.older
        if before is None:
            break
    assert found == whole


def test_a_course_has_what_was_done_to_it_its_roster_and_its_sessions(past: Past) -> None:
    course, meeting = past.bio
    assert past.told(Wanted(course_id=course, without=frozenset({"look"}))) == [
        f"session.started session:{meeting}",
        f"enrolment.made course:{course}/student:{past.student}",
        f"course.made course:{course}",
    ]


def test_a_session_has_its_own_rows_and_not_those_of_ten_times_its_number(past: Past) -> None:
    meeting = past.bio[1]
    with past.database.writing() as session:
        note(session, SUE, "session.touched", f"session:{meeting}0", None, {})
    assert past.told(Wanted(session_id=meeting)) == [
        f"look.stored session:{meeting}/look:abc",
        f"session.started session:{meeting}",
    ]


def test_a_student_has_their_record_their_enrolments_and_the_reviews_that_name_them(past: Past) -> None:
    found = past.told(Wanted(student_id=past.student))
    assert [line.partition(" ")[0] for line in found] == [
        "review.settled", "enrolment.made", "enrolment.made", "student.added",
    ]  # fmt: skip


def test_who_what_and_when_narrow_it(past: Past) -> None:
    assert {row.actor for row in past.page(Wanted(actor="SUE@")).rows} == {SUE}
    assert not past.page(Wanted(actor="%")).rows
    nouns = frozenset({"review", "look"})
    assert {row.action for row in past.page(Wanted(nouns=nouns)).rows} == {"review.settled", "look.stored"}
    now = datetime.now(UTC)
    assert not past.page(Wanted(since=now + timedelta(minutes=1))).rows
    assert not past.page(Wanted(until=now - timedelta(days=1))).rows


def test_ids_come_with_the_names_they_stand_for(past: Past) -> None:
    course, meeting = past.art
    names = past.page().names
    assert (names.students[past.student].name, names.students[past.student].student_no) == ("Ann Adams", "S1")
    assert names.sessions[meeting].title == "ART cells"
    assert names.courses[course] == ("ART", "Europe/Berlin")
    with past.database.reading() as session:
        assert session.scalar(select(ReviewRow.id)) is not None
