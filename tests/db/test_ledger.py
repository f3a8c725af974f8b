"""The ledger's contract, on SQLite and on a real MariaDB."""

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select, text

from db.database import Database, make_database
from db.due import due_sessions
from db.edits import EditConflictError, EditError
from db.errors import DatabaseError, GridrollError, NotFoundError
from db.excuses import add_excuse, excuses_of, withdraw_excuse
from db.ingest import LookWriter
from db.judgements import settle_review
from db.ledger import catch_up, refold
from db.looks import NewLook
from db.report import own_entries, session_report
from db.schema import (
    AuditRow,
    EditRow,
    Enrolment,
    FaceRow,
    ReviewRow,
)
from db.sessions import find_session, start_session
from tests.conftest import START
from tests.db.classroom import Classroom


@pytest.fixture
def room(database: Database) -> Classroom:
    return Classroom(database)


def test_joins_and_leaves_are_stamped_with_the_looks_around_them(room: Classroom) -> None:
    room.look(1, "b", namings=room.named("b", room.ben))
    room.look(2, "a", "b", namings=room.named("a", room.ann))
    room.look(20, "a", "b")
    room.look(21, "b")
    room.look(40, "b")
    with room.database.reading() as session:
        ann = session_report(session, room.id).students[0]
    assert ann.name == "Ann"
    assert ann.joined_after == START + timedelta(minutes=1, seconds=-1)
    assert ann.joined_at == START + timedelta(minutes=2)
    assert ann.last_seen_at == START + timedelta(minutes=20)
    assert ann.left_before == START + timedelta(minutes=21)
    assert ann.confidence == pytest.approx(0.97)


def test_joins_are_stamped_once_when_the_same_look_arrives_twice(room: Classroom) -> None:
    assert room.look(1, "a", namings=room.named("a", room.ann))
    before, versions = room.counts(), room.versions()
    assert not room.look(1, "a", namings=room.named("a", room.ann))
    assert room.counts() == before
    assert room.versions() == versions


def test_folding_again_changes_nothing(room: Classroom) -> None:
    room.look(1, "a", "x", namings=(*room.named("a", room.ann), room.naming("x", "unknown", None)))
    room.look(2, "a", "x")
    before, versions = room.counts(), room.versions()
    with room.database.writing() as session:
        refold(session, find_session(session, room.id))
    assert room.counts() == before
    assert room.versions() == versions


def test_looks_that_arrive_late_and_out_of_order_end_in_the_same_ledger(
    room: Classroom, tmp_path: object
) -> None:
    plan = [(1.0, ("a",)), (2.0, ("a", "b")), (3.0, ("a", "b")), (4.0, ("b",)), (30.0, ("b",))]
    for minute, tracks in plan:
        room.look(minute, *tracks, namings=room.named("a", room.ann) if minute == 1 else ())
    other = Classroom(make_database(f"sqlite:///{tmp_path}/other.sqlite"))
    for minute, tracks in reversed(plan):
        other.look(minute, *tracks, namings=other.named("a", other.ann) if minute == 1 else ())
    with room.database.reading() as one, other.database.reading() as two:
        assert session_report(one, room.id).students == session_report(two, other.id).students
        assert session_report(one, room.id).looks == session_report(two, other.id).looks
    other.database.close()


def test_a_name_that_comes_late_also_corrects_the_balance_of_earlier_looks(room: Classroom) -> None:
    room.look(1, "a", namings=(room.naming("a", "pending", room.ann),))
    room.look(2, "a", namings=room.named("a", room.ann))
    with room.database.reading() as session:
        looks = session_report(session, room.id).looks
    assert [(look.headcount, look.identified, look.unknown) for look in looks] == [(1, 1, 0), (1, 1, 0)]


def test_a_doubt_that_a_later_look_clears_up_is_withdrawn(room: Classroom) -> None:
    room.look(1, "a", namings=(room.naming("a", "doubtful", room.ann),))
    with room.database.reading() as session:
        assert [review.kind for review in session_report(session, room.id).reviews] == ["low_similarity"]
    room.look(2, "a", namings=room.named("a", room.ann))
    with room.database.reading() as session:
        assert session_report(session, room.id).reviews == ()


def test_a_review_that_staff_settled_stays_settled(room: Classroom) -> None:
    room.look(1, "x", namings=(room.naming("x", "unknown", None),))
    with room.database.writing() as session:
        session.scalars(select(ReviewRow)).one().state = "guest"
    room.look(2, "x")
    with room.database.reading() as session:
        assert [review.state for review in session_report(session, room.id).reviews] == ["guest"]


def test_what_staff_wrote_outranks_the_machine_from_then_on(room: Classroom) -> None:
    room.look(1, "b", namings=room.named("b", room.ben))
    room.edit("A", status="excused", remark="at the dentist's")
    room.look(2, "a", "b", namings=room.named("a", room.ann))
    with room.database.reading() as session:
        ann = session_report(session, room.id).students[0]
    assert (ann.status, ann.source, ann.version) == ("excused", "staff", 2)
    assert ann.machine_status == "present"
    assert ann.joined_at == START + timedelta(minutes=2)  # staff said nothing of that


def test_an_entry_that_staff_hand_back_is_the_machine_s_again(room: Classroom) -> None:
    room.look(1, "a", "b", namings=room.named("a", room.ann))
    room.edit("A", status="absent", minutes=0.0)
    room.edit("A")
    with room.database.reading() as session:
        ann = session_report(session, room.id).students[0]
    assert (ann.status, ann.source, ann.version) == ("present", "system", 3)
    assert ann.minutes > 0


def test_the_second_of_two_editors_is_told_what_the_first_one_changed(room: Classroom) -> None:
    room.look(1, "a", namings=room.named("a", room.ann))
    room.edit("A", status="late", by="bea@x.example", expected_version=1)
    with pytest.raises(
        EditConflictError, match=r"bea@x.example edited the entry of Ann .*status late"
    ) as error:
        room.edit("A", status="excused", expected_version=1)
    assert error.value.version == 2
    room.edit("A", status="excused", expected_version=2)
    with room.database.reading() as session:
        assert session_report(session, room.id).students[0].status == "excused"


def test_an_edit_handed_in_twice_counts_once(room: Classroom) -> None:
    for _ in range(2):
        room.edit("A", status="late", uid="the same", expected_version=1)
    with room.database.reading() as session:
        assert session_report(session, room.id).students[0].version == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status": "asleep"}, "status 'asleep' is not known"),
        ({"reason": " "}, "needs a reason"),
        ({"minutes": -1.0}, "a length of -1 minutes cannot be"),
        ({"minutes": float("nan")}, "a length of nan minutes cannot be"),
        ({"remark": "x" * 501}, "at most 500 fit"),
        ({"joined_at": START, "last_seen_at": START - timedelta(seconds=1)}, "cannot both be"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_and_leaves_nothing(
    room: Classroom, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(EditError, match=message):
        room.edit("A", **fields)
    with room.database.reading() as session:
        assert session.scalars(select(EditRow)).all() == []


def test_who_is_excused_is_not_absent_and_who_comes_all_the_same_is_present(room: Classroom) -> None:
    room.enrol_faces()
    with room.database.writing() as session:
        for number in ("A", "B"):
            add_excuse(session, number, "BIO", START, START + timedelta(hours=1), "a trip", "bea@x.example")
    for minute in range(1, 45):
        room.look(minute, "b", namings=room.named("b", room.ben))
    assert room.statuses() == {"Ann": "excused", "Ben": "present"}
    with room.database.writing() as session:
        withdraw_excuse(session, excuses_of(session, room.ann)[0].id, "no trip after all", "bea@x.example")
    assert catch_up(room.database) == 1
    assert room.statuses() == {"Ann": "absent", "Ben": "present"}


def test_who_enrolled_later_is_not_absent_from_what_was_before(room: Classroom) -> None:
    room.enrol_faces()
    with room.database.writing() as session:
        row = session.scalars(select(Enrolment).where(Enrolment.student_id == room.ann)).one()
        row.enrolled_at = START + timedelta(days=1)
    for minute in range(1, 45):
        room.look(minute, "b", namings=room.named("b", room.ben))
    assert room.statuses() == {"Ben": "present"}
    room.look(44.5, "a", "b", namings=room.named("a", room.ann))
    assert room.statuses() == {"Ann": "present", "Ben": "present"}


def test_many_looks_are_stored_in_one_transaction_and_folded_once(room: Classroom) -> None:
    writer = LookWriter(room.database)
    looks = [room.new(minute, "a", namings=room.named("a", room.ann)) for minute in range(1, 40)]
    assert writer.put_all([*looks, looks[0]]) == [True] * 39 + [False]
    assert writer.put_all(looks) == [False] * 39
    assert [catch_up(room.database), catch_up(room.database)] == [1, 0]
    with room.database.reading() as session:
        report = session_report(session, room.id)
    assert len(report.looks) == 39
    assert all(look.identified == 1 for look in report.looks)


def test_fifty_writers_on_one_session_lose_nothing(room: Classroom) -> None:
    writer = LookWriter(room.database)
    answers: list[bool] = []

    def write(number: int) -> None:
        for minute in (number % 40 + 1, number + 0.5):
            answers.append(writer.put(room.new(minute, "a", namings=room.named("a", room.ann))))
            catch_up(room.database, room.id)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(answers), sum(answers)) == (100, 90)  # ten looks were handed in twice
    with room.database.reading() as session:
        report = session_report(session, room.id)
    assert len(report.looks) == 90
    assert len(report.students[0].intervals) == 1


def test_looks_handed_in_at_the_same_time_share_commits(room: Classroom) -> None:
    writer, commits = LookWriter(room.database), list[int]()

    def watch(agent: int) -> None:
        for look in range(10):
            writer.put(room.new(agent + look / 100, "a", namings=room.named("a", room.ann)))

    event.listen(room.database.engine, "commit", lambda _: commits.append(1))
    threads = [threading.Thread(target=watch, args=(agent,)) for agent in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.counts()[0] == 200
    assert len(commits) < 200 / 4


def test_an_interrupted_writer_leaves_what_others_handed_in_to_them(room: Classroom) -> None:
    class Interrupted(LookWriter):
        """Interrupted at its first commit, when the others wait already."""

        def put_all(self, looks: Sequence[NewLook]) -> list[bool]:
            if not self.begun.is_set():
                self.begun.set()
                assert self.others_wait.wait(20)
                raise KeyboardInterrupt
            return super().put_all(looks)

        begun, others_wait = threading.Event(), threading.Event()

    writer = Interrupted(room.database)
    raised: list[BaseException] = []

    def first() -> None:
        try:
            writer.put(room.new(1, "a"))
        except KeyboardInterrupt as error:
            raised.append(error)

    threads = [threading.Thread(target=first)]
    threads += [
        threading.Thread(target=writer.put, args=(room.new(minute, "a"),), daemon=True)
        for minute in range(2, 8)
    ]
    threads[0].start()
    assert writer.begun.wait(20)
    for thread in threads[1:]:
        thread.start()
    writer.others_wait.set()
    for thread in threads:
        thread.join(20)
    assert len(raised) == 1
    assert room.counts()[0] == 6


def test_a_look_that_cannot_be_stored_does_not_keep_others_from_it(room: Classroom) -> None:
    writer = LookWriter(room.database)
    outcomes: dict[int, object] = {}

    def write(number: int) -> None:
        look = room.new(number, "a")
        look = look if number % 5 else replace(look, session_id=77)
        try:
            outcomes[number] = writer.put(look)
        except NotFoundError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome is True for outcome in outcomes.values()) == 24
    assert sum(isinstance(outcome, NotFoundError) for outcome in outcomes.values()) == 6


def test_a_student_record_holds_that_students_rows_only(room: Classroom) -> None:
    room.look(1, "b", namings=room.named("b", room.ben))
    with room.database.reading() as session:
        record = own_entries(session, room.ben, [room.id], "B", "Ben")
    assert {number: (entry.name, entry.status) for number, entry in record.items()} == {
        room.id: ("Ben", "present")
    }


def test_agents_that_write_at_the_same_time_lose_nothing(room: Classroom) -> None:
    errors: list[BaseException] = []

    def write(start: int) -> None:
        try:
            for minute in range(start, 40, 4):
                room.look(minute + 1, "a", namings=room.named("a", room.ann))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with room.database.reading() as session:
        report = session_report(session, room.id)
    assert len(report.looks) == 40
    assert len(report.students[0].intervals) == 1


def test_a_session_that_is_none_is_named_in_the_error(database: Database) -> None:
    with pytest.raises(NotFoundError, match="no session 77"), database.reading() as session:
        session_report(session, 77)


@pytest.mark.parametrize("minutes", [0, -5, 1441, float("nan")])
def test_a_session_of_impossible_length_is_refused(database: Database, minutes: float) -> None:
    with pytest.raises(GridrollError, match="minutes cannot be"), database.writing() as session:
        start_session(session, "BIO", "", START, minutes)


def test_faces_that_come_or_go_later_change_nothing_of_a_session_that_was(room: Classroom) -> None:
    for minute in range(1, 45):
        room.look(minute, "b", namings=room.named("b", room.ben))
    assert room.statuses()["Ann"] == "unverified"  # nobody could have known her
    room.enrol_faces()
    room.edit("B", remark="spoke well")  # folds the session
    assert room.statuses()["Ann"] == "unverified"
    room.look(44.5, "b")
    assert room.statuses()["Ann"] == "absent"  # seen or not, she could be recognised by then
    with room.database.writing() as session:
        session.execute(delete(FaceRow))
    room.edit("B", remark="spoke very well")
    assert room.statuses()["Ann"] == "absent"


def test_a_review_that_is_opened_again_is_on_record_with_who_had_settled_it(room: Classroom) -> None:
    room.look(1, "x", namings=(room.naming("x", "doubtful", room.ann),))
    with room.database.writing() as session:
        review = session.scalars(select(ReviewRow)).one()
        settle_review(session, review, "dismissed", None, "bea@x.example", START, "a poster")
    room.look(2, "x", namings=(room.naming("x", "doubtful", room.ben),))
    with room.database.reading() as session:
        assert session.scalars(select(ReviewRow.state)).one() == "open"
        told = session.scalars(
            select(AuditRow).where(AuditRow.action.startswith("review.")).order_by(AuditRow.seq)
        )
        rows = [(row.action, json.loads(row.detail)["before"]) for row in told]
    assert [action for action, _ in rows] == ["review.opened", "review.settled", "review.reopened"]
    assert rows[-1][1]["by"] == "bea@x.example"


def test_a_session_that_cannot_be_folded_keeps_no_other_one_waiting(sqlite_database: Database) -> None:
    room = Classroom(sqlite_database)
    with room.database.writing() as session:
        other = start_session(session, "BIO", "Later", START + timedelta(days=1), 45).id
    LookWriter(room.database).put_all([room.new(1, "a"), replace(room.new(2, "a"), session_id=other)])
    with room.database.writing() as session:
        session.execute(text("UPDATE looks SET taken_at = 'never' WHERE session_id = :id"), {"id": room.id})
    with pytest.raises(DatabaseError, match=f"session {room.id} cannot be folded"):
        catch_up(room.database)
    with room.database.reading() as session:
        assert due_sessions(session) == [room.id]


def test_an_edit_with_the_mark_of_another_is_not_taken_for_it(room: Classroom) -> None:
    room.edit("A", status="late", uid="u")
    with pytest.raises(EditConflictError, match="another edit"):
        room.edit("A", status="absent", uid="u")
