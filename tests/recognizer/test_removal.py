"""Letting go of a face and of a student, with the real engine, a real cache server and a real archive."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import cv2
import pytest
from sqlalchemy import select

from db.accounts import add_user, find_user
from db.consents import consents_of
from db.database import Database
from db.errors import EvidenceError, NotFoundError
from db.evidence import Archive, exhibits_of, open_archive
from db.excuses import add_excuse
from db.face_cache import FaceCache
from db.ledger import catch_up, stored_entries
from db.people import find_student, roster_of
from db.proof import note_record
from db.proof.chain import walk
from db.proof.records import check_entries, check_records, check_told
from db.proof.reviews import check_ledgers, check_reviews
from db.removal import proofs_of_removal
from db.schema import AuditRow, DisputeRow, PhotoRow, Student
from db.sessions import find_session, start_session
from db.settings import Settings
from db.term import term_report
from demo.cast import portrait
from recognizer.errors import RecognizerError
from recognizer.evidence import Evidence
from recognizer.intake import Intake, Owner
from recognizer.observation import Observation, SeenFace
from recognizer.removal import Erased, Stock, erase_face, remove_student, withdraw_consent
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, class_of_two, crop_of

ACTOR = "staff@example.edu"


def verify(database: Database) -> None:
    with database.reading() as session:
        for links in walk(session):
            check_told(session, links)
        check_records(session)
        check_entries(session)
        check_reviews(session)
        check_ledgers(session)


class Course:
    """Ann and Ben in a class whose looks have been stored."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database, self.settings = database, settings
        engine, self.session_id = class_of_two(folder, database, cache, settings)
        self.stock = Stock(database, cache, engine, open_archive(settings, database))
        self.verifier = Verifier(database, cache, engine, settings, Evidence(self.stock.archive))
        self.looks = 0

    def look(self, session_id: int | None = None) -> None:
        self.looks += 1
        at = START + timedelta(minutes=2 * self.looks)
        faces = tuple(
            SeenFace(track, (0, 0, 100, 100), (0, 0, 50, 50), crop_of(person, 400, self.looks))
            for track, person in (("t1", ANN), ("t2", BEN))
        )
        self.verifier.verify(
            Observation(f"u{self.looks}", session_id or self.session_id, at, at, "tile", 2, faces)
        )
        catch_up(self.database)

    def id_of(self, number: str) -> int:
        with self.database.reading() as session:
            return find_student(session, number).id

    def status(self, student_id: int, session_id: int | None = None) -> str | None:
        with self.database.reading() as session:
            entry = stored_entries(session, session_id or self.session_id).get(student_id)
        return None if entry is None else entry.status

    def crops(self) -> set[str | None]:
        with self.database.reading() as session:
            return {one.student_no for one in exhibits_of(session, self.session_id)}


@pytest.fixture
def course(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> Iterator[Course]:
    course = Course(tmp_path, sqlite_database, cache, settings)
    with closing(course.stock.archive):
        for _ in range(3):
            course.look()
        yield course


def test_withdrawing_consent_removes_the_face_everywhere_and_keeps_the_attendance(course: Course) -> None:
    ann = course.id_of(ANN.student_no)
    before = course.status(ann)
    erased = withdraw_consent(course.stock, ANN.student_no, ACTOR)
    assert (erased.faces, erased.photographs) == (1, 1)
    assert erased.crops > 0
    assert {face.external_id for face in course.stock.engine.faces()} == {BEN.student_no}
    assert course.crops() == {BEN.student_no}
    with course.database.reading() as session:
        assert [consent.withdrawn_at is not None for consent in consents_of(session, ann)] == [True]
        assert session.scalars(select(PhotoRow.student_id)).all() == [course.id_of(BEN.student_no)]
    assert course.status(ann) == before == "present"
    verify(course.database)


def test_who_withdrew_is_recognised_no_more_and_never_called_absent(course: Course) -> None:
    ann, ben = course.id_of(ANN.student_no), course.id_of(BEN.student_no)
    withdraw_consent(course.stock, ANN.student_no, ACTOR)
    with course.database.writing() as session:
        later = start_session(session, "BIO", "", START, 45).id
    course.look(later)
    course.look(later)
    assert course.status(ann, later) == "unverified"
    assert course.status(ben, later) not in {"unverified", None}


def test_withdrawing_again_finds_nothing_left(course: Course) -> None:
    withdraw_consent(course.stock, ANN.student_no, ACTOR)
    assert withdraw_consent(course.stock, ANN.student_no, ACTOR) == Erased()


def test_a_face_enrolled_while_consent_is_withdrawn_is_taken_back(course: Course) -> None:
    with course.database.reading() as session:
        owner = Owner.of(find_student(session, ANN.student_no))
    intake = Intake(course.database, course.stock.engine, course.settings, [owner], course.stock.archive)
    withdraw_consent(course.stock, ANN.student_no, ACTOR)
    content = cv2.imencode(".png", cv2.resize(portrait(ANN), None, fx=0.9, fy=0.9))[1].tobytes()
    with pytest.raises(RecognizerError, match="withdrew"):
        intake.take(owner, content, "late.png", confirmed=True)
    assert {face.external_id for face in course.stock.engine.faces()} == {BEN.student_no}


def test_a_removal_that_was_cut_short_is_repeated_until_nothing_is_left(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = course.id_of(ANN.student_no)

    def away(*_: object) -> int:
        raise EvidenceError("the store is away", True)

    with monkeypatch.context() as patch:
        patch.setattr(Archive, "purge", away)
        with pytest.raises(EvidenceError):
            remove_student(course.stock, ANN.student_no, ACTOR)
    with course.database.reading() as session:
        assert session.get_one(Student, ann).name == ANN.name
    remove_student(course.stock, ANN.student_no, ACTOR)
    assert course.crops() == {BEN.student_no}
    with course.database.reading() as session:
        assert session.get_one(Student, ann).name == "Removed student"


def test_a_removed_student_leaves_an_entry_without_a_person(course: Course) -> None:
    ann = course.id_of(ANN.student_no)
    with course.database.writing() as session:
        add_user(session, ANN.email, "student", "hash")
        dispute = DisputeRow(
            session_id=course.session_id, student_id=ann, text="I, Ann, was there", made_at=START
        )
        session.add(dispute)
        session.flush()
        note_record(session, f"student:{ann}", "dispute.made", dispute)
        add_excuse(
            session,
            ANN.student_no,
            None,
            START + timedelta(days=9),
            START + timedelta(days=10),
            "a cold",
            "x",
        )
    catch_up(course.database)
    counts = remove_student(course.stock, ANN.student_no, ACTOR, "asked for it")
    assert counts["crops"] > 0
    assert {name: counts[name] for name in counts if name not in {"crops", "judged_faces"}} == {
        "faces": 1,
        "photographs": 1,
        "consents": 1,
        "texts": 2,
        "messages": 0,
        "accounts": 1,
        "courses": 1,
    }
    catch_up(course.database)
    assert course.status(ann) == "present"
    with course.database.reading() as session:
        student = session.get_one(Student, ann)
        assert (student.name, student.student_no, student.email) == ("Removed student", f"removed-{ann}", "")
        assert ann not in roster_of(session, find_session(session, course.session_id).course_id)
        assert find_user(session, ANN.email) is None
        assert proofs_of_removal(session, [ann, ann + 1]) == {ann: counts}
        line = next(
            one
            for one in term_report(session, "BIO", START + timedelta(days=1)).students
            if one.student_no == f"removed-{ann}"
        )
        assert line.attended == 1
    verify(course.database)


def test_the_chain_never_learns_who_was_removed(course: Course) -> None:
    remove_student(course.stock, ANN.student_no, ACTOR)
    with course.database.reading() as session:
        chain = json.dumps(
            [row.detail + row.subject + row.actor for row in session.scalars(select(AuditRow))]
        )
    assert not [word for word in (ANN.name, ANN.email, f'"{ANN.student_no}') if word in chain]


def test_a_student_is_removed_once(course: Course) -> None:
    ann = course.id_of(ANN.student_no)
    remove_student(course.stock, ANN.student_no, ACTOR)
    with pytest.raises(NotFoundError):
        remove_student(course.stock, ANN.student_no, ACTOR)
    with pytest.raises(NotFoundError):
        remove_student(course.stock, f"removed-{ann}", ACTOR)


def test_an_excuse_holds_after_the_removal(course: Course) -> None:
    ann = course.id_of(ANN.student_no)
    with course.database.writing() as session:
        missed = start_session(session, "BIO", "", START + timedelta(days=3), 45).id
        at = START + timedelta(days=3)
        add_excuse(
            session, ANN.student_no, None, at - timedelta(hours=1), at + timedelta(hours=1), "a cold", "x"
        )
    catch_up(course.database)
    assert course.status(ann, missed) == "excused"
    remove_student(course.stock, ANN.student_no, ACTOR)
    catch_up(course.database)
    assert course.status(ann, missed) == "excused"


def test_faces_can_be_removed_alone(course: Course) -> None:
    assert erase_face(course.stock, BEN.student_no, ACTOR).faces == 1
    with course.database.reading() as session:
        assert [one.withdrawn_at for one in consents_of(session, course.id_of(BEN.student_no))] == [None]
