"""Saving an entry and settling a review against others who do the same, on SQLite and on a real MariaDB."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from db.database import Database
from db.due import due_of_student, mark_due
from db.edits import EditConflictError, EditError, NewEdit
from db.entries import Said, entry_sheet, save_entry
from db.errors import NotFoundError
from db.people import RosterLine, enrol, make_course
from db.report import session_report
from db.reviews import ReviewConflictError
from db.schema import AuditRow, EditRow
from db.sessions import start_session
from db.settings import Settings
from recognizer.judging import Judging, Settlement
from tests.conftest import START
from tests.db.classroom import Classroom


@pytest.fixture
def room(database: Database) -> Classroom:
    """Ann is seen from the first minute to the fourth; Ben is not; a stranger comes at the end."""
    room = Classroom(database)
    room.enrol_faces()
    room.look(1, "t1", namings=room.named("t1", room.ann))
    for minute in (2, 3):
        room.look(minute, "t1")
    room.look(4, "t1", "t2", namings=(room.naming("t2", "unknown", None),))
    return room


def test_a_sheet_holds_what_the_machine_says_beside_what_staff_said(room: Classroom) -> None:
    room.edit("A", status="late", minutes=2.0)
    room.edit("A", by="bea@x.example", reason="the note", status="excused", remark="ill")
    with room.database.reading() as session:
        sheet = entry_sheet(session, room.id, "A")
    assert sheet.machine is not None
    assert (sheet.machine.status, sheet.machine.joined_at) == ("present", START + timedelta(minutes=1))
    assert (sheet.line.status, sheet.line.source, sheet.line.minutes) == (
        "excused",
        "staff",
        sheet.machine.minutes,
    )
    assert sheet.said == Said(status="excused", remark="ill")
    assert sheet.said_at(1) == Said()
    assert sheet.said_at(2) == Said(status="late", minutes=2.0)
    assert [(edit.version, edit.made_by) for edit in sheet.since(2)] == [(3, "bea@x.example")]
    assert sheet.version == 3


def test_a_sheet_agrees_with_the_stored_entry(room: Classroom) -> None:
    room.edit("B", status="present", joined_at=START)
    with room.database.reading() as session:
        lines = session_report(session, room.id).students
        assert [entry_sheet(session, room.id, number).line for number in "AB"] == list(lines)


def test_who_is_neither_expected_nor_on_record_has_no_sheet(room: Classroom) -> None:
    with room.database.writing() as session:
        enrol(session, make_course(session, "CHE"), [RosterLine("C", "Cid", "c@x.example", "", "")])
    with (
        room.database.reading() as session,
        pytest.raises(NotFoundError, match="no student 'C' is on the roster of BIO"),
    ):
        entry_sheet(session, room.id, "C")


def test_the_same_edit_handed_in_again_counts_once_and_an_equal_one_is_refused(room: Classroom) -> None:
    new = NewEdit(room.id, "A", "seen", "al@x.example", status="late", uid="u-1", expected_version=1)
    assert room.database.transact(partial(save_entry, new=new)) == 2
    assert room.database.transact(partial(save_entry, new=new)) == 2
    room.edit("A", by="bea@x.example", status="excused")
    assert room.database.transact(partial(save_entry, new=new)) == 2, (
        "not the version of somebody else's edit"
    )
    room.edit("A", by="al@x.example", status="late")
    another = NewEdit(room.id, "A", "seen again", "al@x.example", status="late")
    with pytest.raises(EditError, match="says just that already"):
        room.database.transact(partial(save_entry, new=another))
    with room.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(EditRow)) == 3


def test_times_are_held_against_what_the_machine_saw(room: Classroom) -> None:
    late = NewEdit(room.id, "A", "x", "al@x.example", joined_at=START + timedelta(minutes=9))
    # The course's clock is one hour ahead of UTC.
    with pytest.raises(EditError, match="joined at 10:09:00 and last seen at 10:04:00 cannot both be"):
        room.database.transact(partial(save_entry, new=late))


def test_times_are_those_of_the_class_or_shortly_around_it(room: Classroom) -> None:
    save = partial(NewEdit, room.id, "A", "x", "al@x.example")
    far = save(joined_at=START - timedelta(days=1), last_seen_at=START)
    with pytest.raises(
        EditError, match=r"-\d\d 10:00:00 is not within the class; give a time from .* 10:00 to 10:45 in"
    ):
        room.database.transact(partial(save_entry, new=far))
    near = save(joined_at=START - timedelta(minutes=50), last_seen_at=START + timedelta(minutes=95))
    assert room.database.transact(partial(save_entry, new=near)) == 2


def test_a_time_said_before_it_was_held_against_the_class_stays(room: Classroom) -> None:
    room.edit("A", joined_at=START)
    early = START - timedelta(days=1)
    with room.database.writing() as session:
        session.execute(update(EditRow).values(joined_at=early))
    room.edit("A", joined_at=early, status="late")
    with room.database.reading() as session:
        assert entry_sheet(session, room.id, "A").said == Said(status="late", joined_at=early)


@pytest.mark.parametrize(
    ("minutes", "refusal"),
    [
        (45.5, "45.5 minutes are more than the session's 45"),
        (11.5, "11.5 minutes do not fit between 10:05:00 and 10:15:00"),
        (11, ""),  # times are often given without their seconds
        (3, ""),  # away in between
        (None, ""),  # as the machine counted
    ],
)
def test_minutes_are_no_more_than_what_was_said_beside_them(
    room: Classroom, minutes: float | None, refusal: str
) -> None:
    joined, left = (START + timedelta(minutes=after) for after in (5, 15))
    new = NewEdit(room.id, "A", "x", "al@x.example", joined_at=joined, last_seen_at=left, minutes=minutes)
    if not refusal:
        assert room.database.transact(partial(save_entry, new=new)) == 2
        return
    with pytest.raises(EditError, match=refusal):
        room.database.transact(partial(save_entry, new=new))


def test_of_many_who_save_the_same_version_one_does_and_the_others_are_told(room: Classroom) -> None:
    staff = 6
    together = Barrier(staff, timeout=30)

    def save(number: int) -> str:
        new = NewEdit(
            room.id,
            "A",
            f"reason {number}",
            f"s{number}@x.example",
            minutes=float(number),
            expected_version=1,
        )
        together.wait()
        try:
            room.database.transact(partial(save_entry, new=new))
        except EditConflictError as error:
            return str(error)
        return "saved"

    with ThreadPoolExecutor(staff) as pool:
        told = list(pool.map(save, range(staff)))
    assert told.count("saved") == 1
    winner = f"s{told.index('saved')}@x.example"
    assert all(line == "saved" or line.startswith(f"{winner} edited the entry of Ann") for line in told)
    with room.database.reading() as session:
        assert entry_sheet(session, room.id, "A").line.minutes == float(told.index("saved"))


def test_of_many_who_settle_a_review_one_does_and_the_others_are_told(
    room: Classroom, settings: Settings
) -> None:
    with room.database.reading() as session:
        (review,) = session_report(session, room.id).reviews
    judging = Judging(room.database, None, settings)
    acts: dict[str, Callable[[Settlement], int]] = {
        "confirm": lambda settlement: judging.confirm(review.id, "B", settlement),
        "guest": lambda settlement: judging.guest(review.id, "Dr. Cid", settlement),
        "dismiss": lambda settlement: judging.dismiss(review.id, settlement),
        "reject": lambda settlement: judging.reject(review.id, None, settlement),
    }
    together = Barrier(len(acts), timeout=30)

    def settle(answer: str) -> str:
        together.wait()
        try:
            acts[answer](Settlement(f"{answer}@x.example", "", review.mark))
        except ReviewConflictError as error:
            return str(error)
        return "settled"

    with ThreadPoolExecutor(len(acts)) as pool:
        told = dict(zip(acts, pool.map(settle, acts), strict=True))
    (winner,) = (answer for answer, line in told.items() if line == "settled")
    assert all(
        line == "settled" or line.startswith(f"{winner}@x.example settled review {review.id} at ")
        for line in told.values()
    )
    # Whoever gives the same answer from a page loaded before is not told off, and settles nothing anew.
    acts[winner](Settlement("late@x.example", "", review.mark))
    with room.database.reading() as session:
        (settled,) = session_report(session, room.id).reviews
        assert settled.settled_by == f"{winner}@x.example"
        noted = select(func.count()).select_from(AuditRow).where(AuditRow.action == "review.settled")
        assert session.scalar(noted) == 1


def test_only_the_sessions_of_a_students_own_courses_are_due_to_them(room: Classroom) -> None:
    with room.database.writing() as session:
        course = make_course(session, "CHE")
        (cid,) = enrol(session, course, [RosterLine("C", "Cid", "c@x.example", "", "")])
        other = start_session(session, "CHE", "", START, 45).id
        mark_due(session, [room.id, other])
    with room.database.reading() as session:
        assert due_of_student(session, room.ann) == [room.id]
        assert due_of_student(session, cid.id) == [other]
