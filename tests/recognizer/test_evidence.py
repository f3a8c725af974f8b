"""The crops behind a look's conclusions, with the real engine, a real cache server and a real archive."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from db.database import Database
from db.errors import ConfigError, EvidenceError
from db.evidence import Archive, exhibits_of, open_archive
from db.face_cache import FaceCache
from db.schema import AuditRow, JudgementRow, LookRow, PhotoRow
from db.sessions import start_session
from db.settings import Settings
from demo.cast import portrait
from recognizer.enrolment import Enrolment
from recognizer.evidence import Evidence, jpeg_of
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop, Observation, Receipt, SeenFace
from recognizer.review_commands import reviews
from recognizer.verify import Verifier
from tests.conftest import START, free_port
from tests.recognizer.conftest import ANN, CID, crop_of


class Room:
    """A course with Ann; Cid is a stranger."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database, self.cache, self.settings = database, cache, settings
        self.engine = LocalEngine(folder / "vectors")
        self.enrolment = Enrolment(database, cache, self.engine, settings)
        cv2.imwrite(str(folder / "ann.png"), portrait(ANN))
        row = f"{ANN.student_no},{ANN.name},{ANN.email},ann.png"
        (folder / "roster.csv").write_text(f"student_no,name,email,photo\n{row}")
        self.enrolment.import_roster("BIO", folder / "roster.csv", None, "form 7")
        with database.writing() as session:
            self.session_id = start_session(session, "BIO", "", START, 45).id
        self.archive: Archive = open_archive(settings, database)
        self.looks = 0
        self.watch(settings)

    def watch(self, settings: Settings) -> None:
        """Go on with other settings."""
        self.archive.close()
        self.archive = open_archive(settings, self.database)
        self.verifier = Verifier(self.database, self.cache, self.engine, settings, Evidence(self.archive))

    def look(self, *faces: SeenFace, uid: str = "") -> Receipt:
        self.looks += 1
        at = START + timedelta(minutes=self.looks)
        uid = uid or f"u{self.looks}"
        return self.verifier.verify(Observation(uid, self.session_id, at, at, "headcount", len(faces), faces))

    def crops(self) -> list[tuple[str, str | None, str | None]]:
        with self.database.reading() as session:
            found = exhibits_of(session, self.session_id)
        return [(one.track, one.student_no, one.verdict) for one in found]

    def stored(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(LookRow)) or 0

    def files(self) -> list[Path]:
        """All that lies in the store, but for the photographs of who is enrolled."""
        with self.database.reading() as session:
            photos = set(session.scalars(select(PhotoRow.digest)))
        found = (self.settings.home / "evidence").rglob("*")
        return [path for path in found if path.is_file() and path.name not in photos]


@pytest.fixture
def room(tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings) -> Iterator[Room]:
    room = Room(tmp_path, sqlite_database, cache, settings)
    with closing(room.archive):
        yield room


ANNS = SeenFace("a", (0, 0, 99, 99), (9, 9, 50, 50), crop_of(ANN, 300))
CIDS = SeenFace("c", (0, 0, 99, 99), (9, 9, 50, 50), crop_of(CID, 300))


def test_what_a_conclusion_was_drawn_from_is_kept_with_it(room: Room) -> None:
    room.look(ANNS, CIDS, replace(CIDS, track="d", crop=None))
    assert room.crops() == [("a", ANN.student_no, "named"), ("c", None, "pending")]
    assert len(room.files()) == 2
    with room.database.reading() as session:
        picture = room.archive.read(exhibits_of(session, room.session_id)[0].id)
    assert ANNS.crop is not None
    assert picture == jpeg_of(ANNS.crop)


def test_a_look_at_which_nobody_was_asked_about_keeps_nothing(room: Room) -> None:
    room.look(replace(ANNS, crop=None))
    assert (room.stored(), room.crops(), room.files()) == (1, [], [])


def test_a_look_handed_in_twice_keeps_its_crops_once(room: Room) -> None:
    for _ in range(2):
        room.look(ANNS, uid="same")
    assert (room.stored(), len(room.crops()), len(room.files())) == (1, 1, 1)


def test_who_wants_no_crops_gets_none(room: Room, settings: Settings) -> None:
    room.watch(settings.model_copy(update={"evidence_days": 0}))
    assert room.look(ANNS).names == {"a": ANN.name}
    assert (room.crops(), room.files()) == ([], [])


def test_a_store_that_is_away_costs_its_crops_and_no_look_and_is_said_once(
    room: Room, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr("recognizer.evidence.PAUSE_S", 0.0)
    away = {"evidence_url": "s3://b", "evidence_endpoint_url": f"http://127.0.0.1:{free_port()}"}
    room.watch(settings.model_copy(update={**away, "evidence_region": "us-east-1"}))
    for _ in range(2):
        assert room.look(ANNS).names == {"a": ANN.name}
    assert (room.stored(), room.crops()) == (2, [])
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "looks are stored, but without their crops: s3://b" in said[0]
    assert "\n" not in said[0]


def test_a_store_that_comes_back_is_used_again(
    room: Room, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = settings.home / "evidence"
    folder.rename(settings.home / "moved")
    folder.write_text("not a folder")
    room.look(ANNS)
    folder.unlink()
    room.look(ANNS)
    assert room.crops() == []  # left alone for a minute
    monkeypatch.setattr("recognizer.evidence.time.monotonic", lambda: 1e12)
    room.look(CIDS)
    assert [track for track, _, _ in room.crops()] == ["c"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "looks are stored, but without their crops",
        "crops are kept again",
    ]


def test_keys_that_cannot_be_used_are_said_before_the_class_begins(room: Room, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="no key file"):
        room.watch(settings.model_copy(update={"evidence_key_file": settings.home / "none.keys"}))


def test_removing_a_student_s_faces_removes_their_crops_and_nobody_else_s(room: Room) -> None:
    room.look(ANNS, CIDS)
    room.look(replace(ANNS, spot_check=True))
    before = {path: path.read_bytes() for path in room.files()}
    room.enrolment.remove(ANN.student_no)
    assert [track for track, _, _ in room.crops()] == ["c"]
    (left,) = room.files()
    assert left.read_bytes() == before[left]
    with room.database.reading() as session:
        rows = session.scalars(select(AuditRow).where(AuditRow.action == "evidence.erased")).all()
        assert [row.subject for row in rows] == ["student:1"]
        assert ANN.name not in rows[0].detail


def test_a_look_under_way_while_faces_are_removed_keeps_no_crop_of_them(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.look(ANNS)
    put = room.verifier._writer.put

    def slow(*arguments: object) -> object:
        room.enrolment.remove(ANN.student_no)
        return put(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(room.verifier._writer, "put", slow)
    room.look(replace(ANNS, spot_check=True), CIDS)
    assert [track for track, _, _ in room.crops()] == ["c"]
    room.archive.purge()
    assert len(room.files()) == 1


def test_crops_that_come_between_two_steps_of_a_removal_are_erased_too(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.look(ANNS)
    erase = Archive.erase_student

    def slow(archive: Archive, student_id: int, actor: str) -> int:
        monkeypatch.setattr(Archive, "erase_student", erase)
        count = archive.erase_student(student_id, actor)
        room.look(replace(ANNS, crop=crop_of(ANN, 280), spot_check=True))
        assert len(room.crops()) == 1
        return count

    monkeypatch.setattr(Archive, "erase_student", slow)
    room.enrolment.remove(ANN.student_no)
    assert (room.crops(), room.files()) == ([], [])


def test_forgetting_a_guest_removes_their_crops(room: Room) -> None:
    room.look(ANNS, CIDS)
    with room.database.writing() as session:
        row = JudgementRow(session_id=room.session_id, subject="c", kind="unknown_face", verdict="guest")
        row.name, row.made_by, row.made_at = "Dr. Cid", "sue@x.example", START
        session.add(row)
    result = CliRunner().invoke(reviews, ["forget", "Dr. Cid"])
    assert result.exit_code == 0, result.output
    assert [track for track, _, _ in room.crops()] == ["a"]
    assert len(room.files()) == 1


@pytest.mark.parametrize(
    ("shape", "size"), [((512, 300), (256, 150)), ((30, 40), (30, 40)), ((3000, 2), (256, 1))]
)
def test_a_crop_becomes_a_small_jpeg_always_the_same(shape: tuple[int, int], size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    crop = FaceCrop(noise, (0, 0, 1, 1))
    picture = jpeg_of(crop)
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape[:2] == size
    assert jpeg_of(crop) == picture


def test_a_crop_that_is_no_picture_is_refused_as_evidence_only() -> None:
    with pytest.raises(EvidenceError, match="is no picture"):
        jpeg_of(FaceCrop(np.zeros((0, 0, 3), np.uint8), (0, 0, 0, 0)))
