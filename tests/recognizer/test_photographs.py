"""The photographs that faces were enrolled from: kept with them, encrypted, and gone with them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from sqlalchemy import delete, select

from db.backup.crops import dump_crops
from db.backup.writer import new_archive
from db.database import Database
from db.errors import NotFoundError
from db.evidence import Archive, open_archive
from db.evidence.blobs import open_blobs
from db.face_cache import FaceCache
from db.people import find_student, indexed_faces
from db.photos import photos_of
from db.schema import PhotoRow
from db.settings import Settings
from demo.cast import portrait
from recognizer.enrolment import Enrolment
from recognizer.errors import EngineError, PhotoError, RecognizerError
from recognizer.local import LocalEngine
from recognizer.photographs import remove_face, remove_photograph
from recognizer.removal import Stock
from tests.recognizer.conftest import ANN, BEN, CID

WHO = "stella@example.edu"


class Studio:
    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.folder, self.database, self.cache, self.settings = folder, database, cache, settings
        self.engine = LocalEngine(folder / "vectors")
        self.archive: Archive = open_archive(settings, database)
        self.enrolment = Enrolment(database, cache, self.engine, settings)
        self.stock = Stock(database, cache, self.engine, self.archive)
        for person in (ANN, BEN, CID):
            cv2.imwrite(str(folder / f"{person.student_no}.png"), portrait(person))

    def import_all(self) -> None:
        lines = [f"{one.student_no},{one.name},{one.email},{one.student_no}.png" for one in (ANN, BEN)]
        (self.folder / "roster.csv").write_text("\n".join(["student_no,name,email,photo", *lines]))
        self.enrolment.import_roster("BIO", self.folder / "roster.csv", None, "form 7")

    def photos(self, number: str = ANN.student_no) -> list[PhotoRow]:
        with self.database.reading() as session:
            student_id = find_student(session, number).id
            return photos_of(session, [student_id]).get(student_id, [])

    def faces(self) -> list[str]:
        with self.database.reading() as session:
            return [face.student.student_no for face in indexed_faces(session)]

    def files(self) -> list[Path]:
        return [path for path in (self.settings.home / "evidence").rglob("*") if path.is_file()]


@pytest.fixture
def studio(
    tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings
) -> Iterator[Studio]:
    studio = Studio(tmp_path, sqlite_database, cache, settings)
    with closing(studio.archive):
        yield studio


def test_an_import_keeps_each_photograph_encrypted_beside_its_face(studio: Studio) -> None:
    studio.import_all()
    (photo,) = studio.photos()
    with studio.database.reading() as session:
        assert photo.face_id in {face.face_id for face in indexed_faces(session)}
    picture = cv2.imdecode(np.frombuffer(studio.archive.read_photo(photo.id), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == portrait(ANN).shape
    assert len(studio.files()) == 2
    assert all(b"JFIF" not in path.read_bytes() for path in studio.files())


def test_where_and_with_what_it_was_taken_is_not_kept(studio: Studio) -> None:
    studio.import_all()
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "Camera of Ann"
    exif.get_ifd(0x8825)[1] = "N"
    turned = np.ascontiguousarray(np.rot90(portrait(CID)))
    path = studio.folder / "turned.jpg"
    PillowImage.fromarray(turned[..., ::-1].copy()).save(path, exif=exif)
    assert b"Camera of Ann" in path.read_bytes()
    (studio.folder / "roster.csv").write_text(
        f"student_no,name,email,photo\n{CID.student_no},{CID.name},{CID.email},turned.jpg"
    )
    studio.enrolment.import_roster("BIO", studio.folder / "roster.csv", None, "form 7")
    kept = studio.archive.read_photo(studio.photos(CID.student_no)[0].id)
    assert b"Camera" not in kept
    assert b"Exif" not in kept
    size = cv2.imdecode(np.frombuffer(kept, np.uint8), cv2.IMREAD_COLOR)
    assert size is not None
    assert size.shape[0] > size.shape[1]  # upright


def test_the_last_word_on_a_student_takes_their_photographs_along(studio: Studio) -> None:
    studio.import_all()
    studio.enrolment.remove(ANN.student_no)
    assert studio.photos() == []
    assert len(studio.files()) == 1


def test_one_photograph_is_removed_with_its_face_and_the_others_stay(studio: Studio) -> None:
    studio.import_all()
    other = studio.folder / "other.png"
    cv2.imwrite(str(other), cv2.resize(portrait(ANN), (480, 600)))
    studio.enrolment.add(ANN.student_no, other, "")
    first, second = studio.photos()
    with pytest.raises(NotFoundError):
        remove_photograph(studio.stock, BEN.student_no, first.id, WHO)
    remove_photograph(studio.stock, ANN.student_no, first.id, WHO)
    assert [photo.id for photo in studio.photos()] == [second.id]
    assert studio.faces() == [ANN.student_no, BEN.student_no]
    assert len(list(studio.engine.faces())) == len(studio.files()) == 2


def test_one_face_is_removed_with_its_photograph(studio: Studio) -> None:
    studio.import_all()
    face_id = studio.photos()[0].face_id
    assert face_id is not None
    remove_face(studio.stock, face_id, WHO)
    assert (studio.photos(), studio.faces(), len(studio.files())) == ([], [BEN.student_no], 1)
    with pytest.raises(NotFoundError):
        remove_face(studio.stock, face_id, WHO)


def test_a_photograph_that_is_refused_is_not_kept(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.import_all()
    with pytest.raises(PhotoError):
        studio.enrolment.add(BEN.student_no, studio.folder / f"{CID.student_no}.png", "")
    assert len(studio.files()) == 2


def test_a_photograph_whose_face_cannot_be_indexed_has_no_row(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.import_all()

    def away(*_: object) -> None:
        raise EngineError("the engine is away", True)

    monkeypatch.setattr(studio.engine, "index", away)
    other = studio.folder / "other.png"
    cv2.imwrite(str(other), cv2.resize(portrait(ANN), (480, 600)))
    with pytest.raises(EngineError):
        studio.enrolment.add(ANN.student_no, other, "")
    assert len(studio.photos()) == 1


def test_the_same_photograph_again_completes_what_was_enrolled_before_photographs_were_kept(
    studio: Studio,
) -> None:
    studio.import_all()
    with studio.database.writing() as session:
        session.execute(delete(PhotoRow))
    studio.import_all()
    studio.import_all()
    assert [len(studio.photos(one.student_no)) for one in (ANN, BEN)] == [1, 1]
    with pytest.raises(RecognizerError, match="indexed already"):
        studio.enrolment.add(ANN.student_no, studio.folder / f"{ANN.student_no}.png", "")
    assert len(studio.photos()) == 1


def test_a_backup_holds_the_photographs(studio: Studio) -> None:
    studio.import_all()
    with (
        closing(open_blobs(studio.settings)) as blobs,
        new_archive(studio.folder / "backup.tar", force=False) as archive,
        studio.database.reading() as session,
    ):
        assert dump_crops(session.connection(), blobs, archive) == 0
        assert session.scalars(select(PhotoRow.id)).all()
        assert [(member.name, member.count) for member in archive.members] == [("evidence.crops", 2)]
