"""Photographs that look like somebody else, or not like their owner."""

from collections.abc import Collection, Sequence
from pathlib import Path

import cv2
import pytest

from db.database import Database
from db.face_cache import FaceCache
from db.people import indexed_faces
from db.settings import Settings
from demo.cast import Person, portrait
from recognizer.engine import Answer, Candidate, FaceEngine, Probe
from recognizer.enrolment import Enrolment
from recognizer.errors import LookalikeError, PhotoError, UnlikeError
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop
from tests.recognizer.conftest import ANN, BEN, CID

TWIN = "T-1"


class Office:
    """Ann and her twin on the roster, Ann enrolled; photographs are made as they are needed."""

    def __init__(
        self, folder: Path, database: Database, cache: FaceCache, settings: Settings, engine: FaceEngine
    ) -> None:
        self.folder, self.database = folder, database
        self.enrolment = Enrolment(database, cache, engine, settings)
        roster = folder / "roster.csv"
        roster.write_text(
            "student_no,name,email,photo\n"
            f"{ANN.student_no},{ANN.name},,{self.photo(ANN, 640).name}\n"
            f"{TWIN},Twin Okafor,,\n"
        )
        self.enrolment.import_roster("BIO", roster, None, "form 7")

    def photo(self, person: Person, height_px: int) -> Path:
        path = self.folder / f"{person.student_no}-{height_px}.png"
        cv2.imwrite(str(path), cv2.resize(portrait(person), (height_px * 4 // 5, height_px)))
        return path

    def enrolled(self) -> list[str]:
        with self.database.reading() as session:
            return [face.student.student_no for face in indexed_faces(session)]


@pytest.fixture
def office(tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings) -> Office:
    return Office(tmp_path, sqlite_database, cache, settings, LocalEngine(tmp_path / "vectors"))


def test_a_photograph_that_looks_like_another_student_is_refused_with_both_names_for_staff(
    office: Office,
) -> None:
    with pytest.raises(LookalikeError) as error:
        office.enrolment.add(TWIN, office.photo(ANN, 400), "")
    for words in (TWIN, "Twin Okafor", ANN.student_no, ANN.name, f"--lookalike-of {ANN.student_no}"):
        assert words in str(error.value)
    assert office.enrolled() == [ANN.student_no]


def test_what_the_student_is_told_names_nobody(office: Office) -> None:
    with pytest.raises(LookalikeError) as error:
        office.enrolment.add(TWIN, office.photo(ANN, 400), "")
    for words in (ANN.student_no, ANN.name, *ANN.name.split()):
        assert words not in error.value.for_student
    assert error.value.for_student.endswith("give another one, or ask staff to look at it.")


def test_twins_are_enrolled_once_staff_said_so_and_then_go_on_adding_photographs(office: Office) -> None:
    office.enrolment.add(TWIN, office.photo(ANN, 400), "", lookalikes=[ANN.student_no])
    office.enrolment.add(TWIN, office.photo(ANN, 410), "")
    assert office.enrolled() == [ANN.student_no, TWIN, TWIN]


def test_saying_that_a_student_resembles_one_person_does_not_let_another_ones_face_in(
    office: Office,
) -> None:
    with pytest.raises(LookalikeError):
        office.enrolment.add(TWIN, office.photo(ANN, 400), "", lookalikes=[TWIN])


def test_two_lookalikes_in_one_import_are_noticed_too(office: Office) -> None:
    roster = office.folder / "two.csv"
    roster.write_text(
        "student_no,name,email,photo\n"
        f"B-1,Ben,,{office.photo(BEN, 640).name}\n"
        f"B-2,Bennet,,{office.photo(BEN, 500).name}\n"
        f"C-1,Cid,,{office.photo(CID, 500).name}\n"
    )
    result = office.enrolment.import_roster("BIO", roster, None, "form 7")
    assert [(one.student_no, one.fault) for one in result.refused] == [("B-2", "lookalike")]
    assert office.enrolled() == ["B-1", "C-1", ANN.student_no]


def test_a_further_photograph_that_does_not_look_like_the_others_wants_to_be_confirmed(
    office: Office,
) -> None:
    with pytest.raises(UnlikeError, match=f"does not look like the others of {ANN.student_no}") as error:
        office.enrolment.add(ANN.student_no, office.photo(CID, 640), "")
    assert office.enrolled() == [ANN.student_no]
    assert ANN.name not in error.value.for_student
    office.enrolment.add(ANN.student_no, office.photo(CID, 640), "", confirmed=True)
    assert office.enrolled() == [ANN.student_no] * 2


def test_confirming_who_it_is_does_not_excuse_another_students_face(office: Office) -> None:
    office.enrolment.add(TWIN, office.photo(CID, 640), "")
    with pytest.raises(LookalikeError):
        office.enrolment.add(TWIN, office.photo(ANN, 400), "", confirmed=True)


class Critical(LocalEngine):
    def objection(self, crop: FaceCrop) -> str | None:
        return "The eyes are closed: keep them open."


def test_what_the_engine_objects_to_is_passed_on(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> None:
    office = Office(tmp_path, sqlite_database, cache, settings, Critical(tmp_path / "vectors"))
    assert office.enrolled() == []
    with pytest.raises(PhotoError, match="The eyes are closed") as error:
        office.enrolment.add(TWIN, office.photo(ANN, 400), "")
    assert error.value.for_student == "The eyes are closed: keep them open."


class OtherScale(LocalEngine):
    """An engine whose answers lie on a scale of its own, where 92 % is no match."""

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        return [
            Answer(
                tuple(Candidate(one.face_id, 92.0) for one in answer.candidates), "elsewhere", answer.model
            )
            for answer in super().search(probes, among, session_id)
        ]


class SettingsOfTwoScales(Settings):
    elsewhere_match_threshold_pct: float = 97.0
    elsewhere_weak_threshold_pct: float = 85.0


def test_an_engines_own_thresholds_say_what_a_lookalike_is(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> None:
    engine = OtherScale(tmp_path / "vectors")
    office = Office(tmp_path, sqlite_database, cache, settings, engine)
    with pytest.raises(LookalikeError, match="92 %"):
        office.enrolment.add(TWIN, office.photo(ANN, 400), "")
    own = SettingsOfTwoScales(home=settings.home)
    office.enrolment = Enrolment(sqlite_database, cache, engine, own)
    office.enrolment.add(TWIN, office.photo(ANN, 400), "")
    assert office.enrolled() == [ANN.student_no, TWIN]


def test_real_people_are_told_from_each_other_and_known_again(
    real_faces: Path, tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> None:
    people = [folder for folder in sorted((real_faces / "people").iterdir()) if (folder / "1.jpg").is_file()][
        :20
    ]
    office = Office(tmp_path, sqlite_database, cache, settings, LocalEngine(tmp_path / "vectors"))
    lines = [f"P-{folder.name},Somebody,,{folder.name}/0.jpg" for folder in people]
    roster = tmp_path / "people.csv"
    roster.write_text("\n".join(["student_no,name,email,photo", *lines]))
    result = office.enrolment.import_roster("BIO", roster, real_faces / "people", "form 7")
    assert result.indexed >= 19, result.refused
    known, given_to_others = 0, 0
    for place, folder in enumerate(people):
        other = people[(place + 1) % len(people)]
        try:
            office.enrolment.add(f"P-{folder.name}", folder / "1.jpg", "")
            known += 1
        except PhotoError:
            pass
        try:
            office.enrolment.add(f"P-{other.name}", folder / "1.jpg", "")
            given_to_others += 1
        except PhotoError:
            pass
    assert known >= 0.75 * len(people)
    assert given_to_others == 0
