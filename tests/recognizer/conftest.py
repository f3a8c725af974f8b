"""Drawn people and their photographs, for every test that needs a face but nobody's picture."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from db.settings import Settings
from demo.cast import CAST, Person, portrait
from recognizer.observation import FaceCrop, Image
from recognizer.photo import find_faces
from tests.rekognition_server import ACCESS_KEY, RekognitionServer

ANN, BEN, CID = CAST[0], CAST[1], CAST[2]


def crop_of(person: Person, height_px: int = 400, shift_px: int = 0) -> FaceCrop:
    """The person's portrait at another size, as a probe; shifted a little, so that it differs from the photograph."""
    image: Image = np.asarray(
        cv2.resize(portrait(person), None, fx=height_px / 640, fy=height_px / 640), np.uint8
    )
    image = np.roll(image, shift_px, axis=1)
    return FaceCrop(image, find_faces(image)[0])


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
