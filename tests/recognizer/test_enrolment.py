from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.database import Database
from db.errors import GridrollError, NotFoundError, RosterError
from db.face_cache import FaceCache
from db.people import cached_faces, indexed_faces
from db.schema import Base, Consent, Student
from db.settings import Settings
from demo.cast import Person
from recognizer.enrolment import Enrolment
from recognizer.errors import PhotoError, RecognizerError
from recognizer.local import LocalEngine
from recognizer.photo import read_photo
from tests.recognizer.conftest import ANN, BEN, CID


class Desk:
    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.folder, self.database, self.cache = folder, database, cache
        self.engine = LocalEngine(folder / "vectors")
        self.enrolment = Enrolment(database, cache, self.engine, settings)

    def roster(self, *lines: str, consent: bool = False) -> Path:
        path = self.folder / "roster.csv"
        header = "student_no,name,email,photo" + (",consent" if consent else "")
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    def count(self, table: type[Base]) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def known(self) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            return [(face.student.student_no, face.engine) for face in indexed_faces(session)]


@pytest.fixture
def desk(
    tmp_path: Path,
    sqlite_database: Database,
    cache: FaceCache,
    settings: Settings,
    photo: Callable[[Person], Path],
) -> Desk:
    for person in (ANN, BEN, CID):
        photo(person)
    return Desk(tmp_path, sqlite_database, cache, settings)


def line(person: Person, consent: str | None = None) -> str:
    text = f"{person.student_no},{person.name},{person.email},{person.student_no}.jpg"
    return text if consent is None else f"{text},{consent}"


def test_a_roster_with_consent_indexes_every_face_in_engine_database_and_cache(desk: Desk) -> None:
    result = desk.enrolment.import_roster("BIO", desk.roster(line(ANN), line(BEN)), None, "form 7, signed")
    assert (result.students, result.indexed, result.kept) == (2, 2, 0)
    face_ids = {face.face_id for face in desk.engine.faces()}
    with desk.database.reading() as session:
        assert {face.student_no for face in cached_faces(session, face_ids)} == {
            ANN.student_no,
            BEN.student_no,
        }
        owners = {face.face_id: face.student_id for face in cached_faces(session, face_ids)}
    assert desk.cache.find(owners, lambda lacking: []).keys() == face_ids
    assert desk.count(Consent) == 2


def test_without_a_consent_the_student_is_enrolled_but_no_face_is_indexed(desk: Desk) -> None:
    roster = desk.roster(line(ANN, "form 7"), line(BEN, ""), consent=True)
    result = desk.enrolment.import_roster("BIO", roster, None, "")
    assert result.without_consent == (BEN.student_no,)
    assert desk.known() == [(ANN.student_no, "local")]
    assert desk.count(Student) == 2


def test_importing_the_same_roster_again_changes_nothing(desk: Desk) -> None:
    roster = desk.roster(line(ANN), line(BEN))
    desk.enrolment.import_roster("BIO", roster, None, "form 7")
    again = desk.enrolment.import_roster("BIO", roster, None, "form 7")
    assert (again.indexed, again.kept) == (0, 2)
    assert len(list(desk.engine.faces())) == 2
    assert desk.count(Consent) == 2


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("S9,Cid,c@x.example,missing.jpg", PhotoError),
        ("S9,Cid,c@x.example,roster.csv", PhotoError),
        (f"{ANN.student_no},Twice,t@x.example,", RosterError),
    ],
)
def test_one_bad_line_leaves_nothing_half_written(desk: Desk, bad: str, error: type[GridrollError]) -> None:
    with pytest.raises(error):
        desk.enrolment.import_roster("BIO", desk.roster(line(ANN), bad), None, "form 7")
    assert desk.count(Student) == 0
    assert list(desk.engine.faces()) == []


def test_a_database_that_fails_takes_the_vectors_back(desk: Desk) -> None:
    with pytest.raises(RosterError, match="time zone"):
        desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "form 7", time_zone="Mars/Base")
    assert list(desk.engine.faces()) == []
    assert desk.count(Student) == 0


def test_one_more_photograph_needs_a_consent_on_record(desk: Desk) -> None:
    desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "")
    photo = desk.folder / f"{ANN.student_no}.jpg"
    with pytest.raises(RecognizerError, match="no consent"):
        desk.enrolment.add(ANN.student_no, photo, "")
    desk.enrolment.add(ANN.student_no, photo, "form 7")
    with pytest.raises(RecognizerError, match="indexed already"):
        desk.enrolment.add(ANN.student_no, photo, "")
    with pytest.raises(NotFoundError, match="no student 'S9'"):
        desk.enrolment.add("S9", photo, "form 7")


def test_removing_a_students_faces_removes_them_everywhere(desk: Desk) -> None:
    desk.enrolment.import_roster("BIO", desk.roster(line(ANN), line(BEN)), None, "form 7")
    assert desk.enrolment.remove(ANN.student_no) == 1
    assert desk.known() == [(BEN.student_no, "local")]
    assert [face.external_id for face in desk.engine.faces()] == [BEN.student_no]
    assert desk.enrolment.remove(ANN.student_no) == 0


def test_an_import_that_was_killed_leaves_nothing_that_the_next_one_does_not_tidy(desk: Desk) -> None:
    photo = read_photo(desk.folder / f"{ANN.student_no}.jpg", 10_000_000, 40_000_000)
    desk.engine.index(photo.face, ANN.student_no)  # and then the power went
    desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "form 7")
    assert len(list(desk.engine.faces())) == 1
    desk.engine.index(photo.face, ANN.student_no)
    desk.enrolment.remove(ANN.student_no)
    assert list(desk.engine.faces()) == []


def test_vectors_that_were_lost_are_made_again_by_importing_again(desk: Desk) -> None:
    roster = desk.roster(line(ANN), line(BEN))
    desk.enrolment.import_roster("BIO", roster, None, "form 7")
    lost = next(face.face_id for face in desk.engine.faces() if face.external_id == ANN.student_no)
    desk.engine.remove([lost])
    again = desk.enrolment.import_roster("BIO", roster, None, "form 7")
    assert (again.indexed, again.kept) == (1, 1)
    assert desk.known() == [(ANN.student_no, "local"), (BEN.student_no, "local")]


def test_one_photograph_for_two_students_is_refused(desk: Desk) -> None:
    lines = (line(ANN), f"S9,Somebody Else,s@x.example,{ANN.student_no}.jpg")
    with pytest.raises(PhotoError, match=f"students {ANN.student_no} and S9 have the same photograph"):
        desk.enrolment.import_roster("BIO", desk.roster(*lines), None, "form 7")
    assert desk.count(Student) == 0


def test_photographs_are_compared(desk: Desk) -> None:
    one, other = desk.folder / f"{ANN.student_no}.jpg", desk.folder / f"{BEN.student_no}.jpg"
    assert desk.enrolment.compare(one, one) == pytest.approx(100)
    assert desk.enrolment.compare(one, other) < 80
