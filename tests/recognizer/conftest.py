"""Drawn people and their photographs, for every test that needs a face but nobody's picture."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from db.database import Database
from db.face_cache import FaceCache
from db.sessions import start_session
from db.settings import Settings
from demo.cast import CAST, Person, portrait
from recognizer.engine import Answer, Probe
from recognizer.enrolment import Enrolment
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop, Image
from recognizer.photo import find_faces
from tests.conftest import START
from tests.rekognition_server import ACCESS_KEY, RekognitionServer

ANN, BEN, CID = CAST[0], CAST[1], CAST[2]


def crop_of(person: Person, height_px: int = 400, shift_px: int = 0) -> FaceCrop:
    """The person's portrait at another size, as a probe; shifted a little, so that it differs from the photograph."""
    image: Image = np.asarray(
        cv2.resize(portrait(person), None, fx=height_px / 640, fy=height_px / 640), np.uint8
    )
    image = np.roll(image, shift_px, axis=1)
    return FaceCrop(image, find_faces(image)[0])


class CountingEngine(LocalEngine):
    """The local engine, counting what it is asked."""

    searched = 0

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        self.searched += len(probes)
        return super().search(probes, among, session_id)


def class_of_two(
    folder: Path, database: Database, cache: FaceCache, settings: Settings
) -> tuple[CountingEngine, int]:
    """Enrol Ann and Ben and start a session of theirs; returns the engine and the session's id."""
    engine = CountingEngine(folder / "vectors")
    lines = ["student_no,name,email,photo"]
    for person in (ANN, BEN):
        cv2.imwrite(str(folder / f"{person.student_no}.png"), portrait(person))
        lines.append(f"{person.student_no},{person.name},{person.email},{person.student_no}.png")
    (folder / "roster.csv").write_text("\n".join(lines))
    Enrolment(database, cache, engine, settings).import_roster("BIO", folder / "roster.csv", None, "form 7")
    engine.searched = 0  # enrolment looks for lookalikes
    with database.writing() as session:
        return engine, start_session(session, "BIO", "", START, 45).id


@pytest.fixture
def photo(tmp_path: Path) -> Callable[[Person], Path]:
    """Writes a person's photograph to a file."""

    def write(person: Person) -> Path:
        path = tmp_path / f"{person.student_no or person.name}.jpg"
        cv2.imwrite(str(path), portrait(person))
        return path

    return write


@pytest.fixture
def rekognition_server(tmp_path: Path) -> Iterator[RekognitionServer]:
    """A running service that speaks Rekognition's protocol, with no collections."""
    with RekognitionServer(tmp_path / "rekognition") as server:
        yield server


@pytest.fixture
def rekognition_settings(
    settings: Settings, rekognition_server: RekognitionServer, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Settings of an engine at that service, and credentials that it accepts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    changes = {
        "engine": "rekognition",
        "rekognition_endpoint_url": rekognition_server.url,
        "rekognition_region": "eu-west-1",
        "rekognition_rate_per_s": 500.0,
    }
    return settings.model_copy(update=changes)
