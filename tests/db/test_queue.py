"""The queue of open reviews, and what is on record about one, on SQLite and on a real MariaDB."""

from datetime import timedelta

import pytest

from db.accounts import find_user
from db.case import case_of
from db.database import Database
from db.instructors import course_ids_of
from db.people import make_course
from db.queue import PAGE, Wanted, find_lines, meetings_in_doubt, open_counts, queue_of
from db.schema import ReviewRow
from db.sessions import start_session
from tests.portal.cast import COURSE, OTHER_COURSE, OTHER_INSTRUCTOR, START, add_accounts, class_in_doubt


@pytest.fixture
def doubts(database: Database) -> int:
    """Three faces that are not alike enough, a stranger, and sixty reviews of another course."""
    with database.writing() as writing:
        add_accounts(writing)
    meeting = class_in_doubt(database, students=3)
    with database.writing() as writing:
        make_course(writing, OTHER_COURSE)
        other = start_session(writing, OTHER_COURSE, "Acids", START, 45)
        for number in range(60):
            at = START + timedelta(days=1, seconds=number)
            heads = {"kind": "headcount", "subject": f"look-{number}", "at": at, "state": "open"}
            writing.add(ReviewRow(session_id=other.id, **heads))
    return meeting


def test_the_queue_is_the_oldest_first_in_pages(database: Database, doubts: int) -> None:
    with database.reading() as reading:
        first, second = (queue_of(reading, None, Wanted(page=page)) for page in (1, 2))
        behind = queue_of(reading, None, Wanted(page=3))
    assert (first.total, second.total, behind) == (64, 64, type(first)((), 0))
    lines = (*first.lines, *second.lines)
    assert len(first.lines) == PAGE
    assert [line.review.at for line in lines] == sorted(line.review.at for line in lines)
    assert len({line.review.id for line in lines}) == 64
    ada = lines[0]
    assert (ada.review.student_name, ada.similarity_pct, ada.track) == ("Ada Adams", 80.0, "t00")
    assert (ada.course, ada.title, ada.time_zone) == (COURSE, "Week 5: doubts", "Europe/Berlin")
    assert [line.similarity_pct for line in lines if line.course == OTHER_COURSE] == [None] * 60


def test_the_most_certain_first_ends_with_what_resembles_nobody(database: Database, doubts: int) -> None:
    with database.reading() as reading:
        found = queue_of(reading, None, Wanted(certain=True))
    assert [line.similarity_pct for line in found.lines[:4]] == [81.0, 80.5, 80.0, None]
    assert found.total == 64


def test_the_queue_is_what_somebody_reaches_and_wants(database: Database, doubts: int) -> None:
    with database.reading() as reading:
        user = find_user(reading, OTHER_INSTRUCTOR)
        assert user is not None
        own = course_ids_of(reading, user.id)
        every = queue_of(reading, None, Wanted())
        assert queue_of(reading, own, Wanted()).total == 60
        assert queue_of(reading, own, Wanted(course=COURSE)).total == 0
        assert queue_of(reading, own, Wanted(session_id=doubts)).total == 0
        assert queue_of(reading, frozenset(), Wanted()).total == 0
        assert queue_of(reading, None, Wanted(kind="unknown_face", session_id=doubts)).total == 1
        assert find_lines(reading, [every.lines[0].review.id], own) == {}
        assert len(find_lines(reading, [every.lines[0].review.id, 999], None)) == 1
        assert [(one.course, one.kind, one.count) for one in open_counts(reading, own)] == [
            (OTHER_COURSE, "headcount", 60)
        ]
        assert [one.count for one in open_counts(reading, None)] == [60, 3, 1]
        assert [one.title for one in meetings_in_doubt(reading, None, COURSE)] == ["Week 5: doubts"]
        assert meetings_in_doubt(reading, own, COURSE) == []


def test_a_case_tells_who_was_seen_where_and_what_the_engine_said(database: Database, doubts: int) -> None:
    with database.reading() as reading:
        lines = queue_of(reading, None, Wanted(session_id=doubts)).lines
        ben, stranger = (case_of(reading, lines[place]) for place in (1, 3))
    assert [(one.student_no, one.status, one.photo_ids) for one in ben.suspects] == [
        ("2026-1002", "unverified", ())
    ]
    assert ben.last is not None
    assert (ben.last.name, ben.last.similarity_pct, ben.last.threshold_pct) == ("Ben Brown", 80.5, 90.0)
    assert [(one.track, one.looks, ben.looks) for one in ben.seen] == [("t01", 4, 5)]
    assert ben.scene is not None
    assert (ben.scene.headcount, set(ben.scene.boxes)) == (2, {"t00", "t01"})
    assert (stranger.suspects, [one.looks for one in stranger.seen]) == ((), [2])
    assert stranger.scene is not None
    assert stranger.scene.headcount == 4
