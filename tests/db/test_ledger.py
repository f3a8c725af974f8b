"""The ledger's contract, on SQLite and on a real MariaDB."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from db.database import Database, make_database
from db.errors import GridrollError, NotFoundError
from db.ledger import refold
from db.looks import NewLook, NewNaming, NewSighting, record_look
from db.people import RosterLine, enrol, make_course
from db.report import session_report, student_record
from db.schema import AttendanceRow, IntervalRow, LookRow, ReviewRow, SightingRow
from db.sessions import find_session, start_session
from tests.conftest import START


class Classroom:
    """A session with Ann and Ben on its roster."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.writing() as session:
            course = make_course(session, "BIO", "Europe/Berlin")
            lines = [
                RosterLine(no, name, f"{no}@x.example".lower(), "", "")
                for no, name in [("A", "Ann"), ("B", "Ben")]
            ]
            self.ann, self.ben = (student.id for student in enrol(session, course, lines))
            self.id = start_session(session, "BIO", "Cells", START, 45).id

    def look(self, minute: float, *tracks: str, namings: tuple[NewNaming, ...] = (), uid: str = "") -> bool:
        taken_at = START + timedelta(minutes=minute)
        new = NewLook(
            session_id=self.id,
            uid=uid or f"look-{minute}",
            began_at=taken_at - timedelta(seconds=1),
            taken_at=taken_at,
            trigger="headcount",
            headcount=len(tracks),
            searches=len(namings),
            paid=0,
            sightings=tuple(NewSighting(track, (0, 0, 9, 9)) for track in tracks),
            namings=namings,
        )
        with self.database.writing() as session:
            row = find_session(session, self.id)
            stored = record_look(session, new)
            refold(session, row)
        return stored

    def naming(self, track: str, verdict: str, student: int | None) -> NewNaming:
        return NewNaming(track, verdict, student, None, 97.0, None, None, 90.0, 2, "local", "m")

    def named(self, track: str, student: int) -> tuple[NewNaming, ...]:
        return (self.naming(track, "named", student),)

    def counts(self) -> list[int]:
        with self.database.reading() as session:
            tables = (LookRow, SightingRow, AttendanceRow, IntervalRow, ReviewRow)
            return [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables]

    def versions(self) -> list[int]:
        with self.database.reading() as session:
            return list(session.scalars(select(AttendanceRow.version).order_by(AttendanceRow.student_id)))


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
    with room.database.writing() as session:
        row = session.scalars(select(AttendanceRow).where(AttendanceRow.student_id == room.ann)).one()
        row.status, row.source = "excused", "staff"
    room.look(2, "a", "b", namings=room.named("a", room.ann))
    with room.database.reading() as session:
        ann = session_report(session, room.id).students[0]
    assert (ann.status, ann.source) == ("excused", "staff")


def test_a_student_record_holds_that_students_rows_only(room: Classroom) -> None:
    room.look(1, "b", namings=room.named("b", room.ben))
    with room.database.reading() as session:
        record = student_record(session, room.ben)
    assert [(line.course, entry.name, entry.status) for line, entry in record] == [("BIO", "Ben", "present")]


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
