import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import func, select

from db.database import Database
from db.errors import DatabaseError, NotFoundError, RosterError
from db.face_cache import FaceCache
from db.people import cached_faces, indexed_faces
from db.schema import Base, Consent, Student
from db.settings import Settings
from demo.cast import Person, portrait
from recognizer.engine import IndexedFace
from recognizer.enrolment import Enrolment
from recognizer.errors import EngineError, PhotoError, RecognizerError, UnlikeError
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop
from recognizer.photo import open_photo, read_photo
from recognizer.refusals import Refusal, RefusalReport
from tests.recognizer.conftest import ANN, BEN, CID


class Desk:
    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.folder, self.database, self.cache, self.settings = folder, database, cache, settings
        self.engine = LocalEngine(folder / "vectors")
        self.enrolment = Enrolment(database, cache, self.engine, settings)

    def roster(self, *lines: str, consent: bool = False) -> Path:
        path = self.folder / "roster.csv"
        header = "student_no,name,email,photo" + (",consent" if consent else "")
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    def another(self, person: Person, height_px: int) -> Path:
        """Another photograph of somebody: the portrait in another size."""
        path = self.folder / f"another-{person.student_no}-{height_px}.png"
        cv2.imwrite(str(path), cv2.resize(portrait(person), (height_px * 4 // 5, height_px)))
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
        faces = cached_faces(session, face_ids)
    assert desk.cache.face_ids() == face_ids
    assert desk.cache.stale(faces) == []
    assert all(face.quality is not None and 0 < face.quality < 1 for face in faces)
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


def test_a_roster_that_cannot_be_read_leaves_nothing_half_written(desk: Desk) -> None:
    twice = f"{ANN.student_no},Twice,t@x.example,"
    with pytest.raises(RosterError):
        desk.enrolment.import_roster("BIO", desk.roster(line(ANN), twice), None, "form 7")
    assert desk.count(Student) == 0
    assert list(desk.engine.faces()) == []


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("missing.jpg", "file"),
        ("roster.csv", "file"),
        ("wall.jpg", "none"),
        ("../outside.jpg", "file"),
        ("/etc/hostname", "file"),
        ("link.jpg", "file"),
        ("x" * 300, "file"),
    ],
)
def test_a_photograph_that_is_refused_keeps_nobody_else_out(desk: Desk, file: str, fault: str) -> None:
    cv2.imwrite(str(desk.folder / "wall.jpg"), np.full((400, 300, 3), 180, np.uint8))
    cv2.imwrite(str(desk.folder.parent / "outside.jpg"), portrait(CID))
    (desk.folder / "link.jpg").symlink_to(desk.folder.parent / "outside.jpg")
    told: list[Refusal] = []
    roster = desk.roster(line(ANN), f"S9,Dan,d@x.example,{file}", line(BEN))
    result = desk.enrolment.import_roster("BIO", roster, None, "form 7", refused=told.append)
    assert (result.students, result.indexed, result.kept) == (3, 2, 0)
    assert [(one.student_no, one.photo, one.fault) for one in result.refused] == [("S9", file, fault)]
    assert told == list(result.refused)
    assert "\n" not in told[0].for_staff
    assert desk.known() == [(ANN.student_no, "local"), (BEN.student_no, "local")]


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


def test_one_photograph_for_two_students_is_refused_to_both(desk: Desk) -> None:
    lines = (line(ANN), f"S9,Somebody Else,s@x.example,{ANN.student_no}.jpg", line(BEN))
    result = desk.enrolment.import_roster("BIO", desk.roster(*lines), None, "form 7")
    assert [(one.student_no, one.fault) for one in result.refused] == [
        (ANN.student_no, "shared"),
        ("S9", "shared"),
    ]
    assert desk.known() == [(BEN.student_no, "local")]


def test_whose_agreement_is_on_record_needs_no_other_note(desk: Desk) -> None:
    desk.enrolment.import_roster("BIO", desk.roster(f"{ANN.student_no},Ann,,"), None, "form 7")
    result = desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "")
    assert (result.indexed, result.without_consent) == (1, ())


def test_without_a_consent_no_photograph_is_opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*arguments: object) -> bytes:
        raise AssertionError(f"opened {arguments}")

    monkeypatch.setattr("recognizer.enrolment.read_picture_file", opened)
    result = desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "")
    assert result.without_consent == (ANN.student_no,)
    with pytest.raises(RecognizerError, match="no consent"):
        desk.enrolment.add(ANN.student_no, desk.folder / f"{ANN.student_no}.jpg", "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, EngineError("the provider is away")])
def test_an_import_that_is_cut_short_keeps_what_it_did_and_goes_on_the_next_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | BaseException
) -> None:
    roster = desk.roster(line(ANN), line(BEN), line(CID))
    index, calls = desk.engine.index, []

    def failing(crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        calls.append(external_id)
        if len(calls) == 3:
            raise error
        return index(crop, external_id)

    with monkeypatch.context() as broken:
        broken.setattr(desk.engine, "index", failing)
        with pytest.raises((KeyboardInterrupt, EngineError)):
            desk.enrolment.import_roster("BIO", roster, None, "form 7")
    assert len(desk.known()) == 2
    result = desk.enrolment.import_roster("BIO", roster, None, "form 7")
    assert (result.indexed, result.kept) == (1, 2)
    assert len(list(desk.engine.faces())) == 3


def test_a_row_that_cannot_be_written_takes_its_face_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> None:
        raise DatabaseError("the disk is full")

    monkeypatch.setattr("recognizer.intake._row", fails)
    with pytest.raises(DatabaseError):
        desk.enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "form 7")
    assert list(desk.engine.faces()) == []


def test_no_more_photographs_are_kept_of_a_student_than_the_settings_say(desk: Desk) -> None:
    settings = desk.settings.model_copy(update={"max_faces_per_student": 2})
    enrolment = Enrolment(desk.database, desk.cache, desk.engine, settings)
    enrolment.import_roster("BIO", desk.roster(line(ANN)), None, "form 7")
    enrolment.add(ANN.student_no, desk.another(ANN, 300), "")
    with pytest.raises(PhotoError, match="at most 2 are kept; raise max_faces_per_student"):
        enrolment.add(ANN.student_no, desk.another(ANN, 500), "")
    assert len(desk.known()) == 2


class TwoCollections(LocalEngine):
    """A local engine whose faces stand in a second collection as well."""

    collections = frozenset({"local", "other"})

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.other = LocalEngine(folder / "other")

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        return super().index(crop, external_id) + tuple(
            replace(face, engine="other") for face in self.other.index(crop, external_id)
        )

    def faces(self) -> Iterator[IndexedFace]:
        yield from super().faces()
        yield from (replace(face, engine="other") for face in self.other.faces())

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        return super().remove(face_ids) | self.other.remove(face_ids)


def test_a_photograph_that_one_of_two_collections_lacks_is_completed_and_not_doubled(desk: Desk) -> None:
    roster = desk.roster(line(ANN), line(BEN))
    desk.enrolment.import_roster("BIO", roster, None, "form 7")
    engine = TwoCollections(desk.folder / "vectors")
    both = Enrolment(desk.database, desk.cache, engine, desk.settings)
    for expected in ((2, 0), (0, 2)):
        result = both.import_roster("BIO", roster, None, "form 7")
        assert (result.indexed, result.kept, result.refused) == (*expected, ())
        assert desk.known() == [
            (person.student_no, name) for person in (ANN, BEN) for name in ("local", "other")
        ]
        assert sorted((face.external_id, face.engine) for face in engine.faces()) == desk.known()
    both.remove(ANN.student_no)
    assert desk.known() == [(BEN.student_no, "local"), (BEN.student_no, "other")]
    assert {face.external_id for face in engine.faces()} == {BEN.student_no}


def test_faces_that_only_another_collection_holds_are_not_missed_among_the_answers(desk: Desk) -> None:
    engine = TwoCollections(desk.folder / "vectors")
    both = Enrolment(desk.database, desk.cache, engine, desk.settings)
    both.import_roster("BIO", desk.roster(line(ANN)), None, "form 7")
    engine.remove([face.face_id for face in engine.faces() if face.engine == "local"])
    both.add(ANN.student_no, desk.another(CID, 640), "")  # nothing here that it could be unlike
    assert desk.known().count((ANN.student_no, "local")) == 1
    with pytest.raises(UnlikeError):
        both.add(ANN.student_no, desk.another(BEN, 640), "")


def test_a_folder_of_photographs_is_enrolled_by_the_numbers_in_its_names(desk: Desk) -> None:
    people = [f"{person.student_no},{person.name},{person.email}," for person in (ANN, BEN, CID)]
    desk.enrolment.import_roster("BIO", desk.roster(*people), None, "")
    folder = desk.folder / "photos"
    (folder / BEN.student_no).mkdir(parents=True)
    desk.another(ANN, 640).rename(folder / f"{ANN.student_no}.jpg")
    desk.another(ANN, 400).rename(folder / f"{ANN.student_no}_2.png")
    desk.another(BEN, 500).rename(folder / BEN.student_no / "at home.jpg")
    desk.another(CID, 500).rename(folder / "unknown.jpg")
    (folder / f"{CID.student_no}.heic").write_bytes(b"a format nobody here reads")
    (folder / "notes.txt").write_text("no picture")
    for expected in ((3, 0), (0, 3)):
        result = desk.enrolment.enrol_folder("BIO", folder, "form 7")
        assert (result.students, result.indexed, result.kept) == (3, *expected)
        assert [(one.student_no, one.photo, one.fault) for one in result.refused] == [
            (CID.student_no, f"{CID.student_no}.heic", "file"),
            ("", "unknown.jpg", "nobody"),
        ]
    assert [number for number, _ in desk.known()] == [ANN.student_no, ANN.student_no, BEN.student_no]


def test_a_file_name_can_do_no_harm(desk: Desk, tmp_path: Path) -> None:
    desk.enrolment.import_roster("BIO", desk.roster(f"{ANN.student_no},Ann,,"), None, "form 7")
    folder = desk.folder / "photos"
    folder.mkdir()
    no_text = folder / os.fsdecode(ANN.student_no.encode() + b"_\xff.png")
    desk.another(ANN, 640).rename(no_text)
    (folder / f"{ANN.student_no}\x1b[2J\n.jpg").write_text("no picture")
    with RefusalReport(tmp_path / "refusals.csv") as report:
        result = desk.enrolment.enrol_folder("BIO", folder, "form 7", refused=report.add)
    assert result.indexed == 1
    (refusal,) = result.refused
    for text in (refusal.photo, refusal.for_staff, refusal.for_student):
        assert text.isprintable()
    assert str(folder) not in refusal.for_student
    with pytest.raises(RecognizerError, match="indexed already"):
        desk.enrolment.add(ANN.student_no, no_text, "")


def test_a_folder_is_enrolled_only_for_those_who_agreed(desk: Desk) -> None:
    people = [f"{ANN.student_no},Ann,,,form 7", f"{BEN.student_no},Ben,,,"]
    desk.enrolment.import_roster("BIO", desk.roster(*people, consent=True), None, "")
    result = desk.enrolment.enrol_folder("BIO", desk.folder, "")
    assert desk.known() == [(ANN.student_no, "local")]
    assert result.without_consent == (BEN.student_no,)


def test_a_photograph_is_checked_before_it_is_handed_in(desk: Desk) -> None:
    good = open_photo(desk.another(ANN, 640).read_bytes(), "good.png", 40_000_000)
    assert desk.enrolment.check(good) == []
    dark = replace(good, face=replace(good.face, image=good.face.image // 6))
    assert [finding.fault for finding in desk.enrolment.check(dark)] == ["dark"]
    assert list(desk.engine.faces()) == []


def test_photographs_are_compared(desk: Desk) -> None:
    one, other = desk.folder / f"{ANN.student_no}.jpg", desk.folder / f"{BEN.student_no}.jpg"
    assert desk.enrolment.compare(one, one) == pytest.approx(100)
    assert desk.enrolment.compare(one, other) < 80
