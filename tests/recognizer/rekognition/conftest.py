"""An engine at the service of the tests, and the account of what it asks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from db.settings import Settings
from recognizer.metering import Call
from recognizer.observation import FaceCrop
from recognizer.rekognition import RekognitionEngine
from tests.recognizer.conftest import BEN, crop_of

SEARCH = "SearchFacesByImage"


@dataclass(slots=True)
class Account:
    """A meter that keeps its calls in memory."""

    calls: list[Call] = field(default_factory=list)

    def record(self, call: Call) -> None:
        self.calls.append(call)

    def of(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]


Open = Callable[..., RekognitionEngine]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def open_engine(rekognition_settings: Settings, account: Account) -> Iterator[Open]:
    """Opens engines at the test's service, by settings that differ, with its collection made."""
    opened = []

    def open_engine(**changes: Any) -> RekognitionEngine:
        renamed = {f"rekognition_{key}": value for key, value in changes.items()}
        engine = RekognitionEngine(rekognition_settings.model_copy(update=renamed), account)
        opened.append(engine)
        engine.prepare()
        return engine

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(open_engine: Open) -> RekognitionEngine:
    return open_engine()


def plain(side_px: int = 200) -> FaceCrop:
    """A picture of nothing, where a face is said to be."""
    image = np.full((side_px, side_px, 3), 128, np.uint8)
    return FaceCrop(image, (side_px // 4, side_px // 4, side_px // 2, side_px // 2))


def beside_ben() -> tuple[FaceCrop, FaceCrop]:
    """One picture twice: a head where a wall is, with Ben's whole face in the margin, and Ben's face itself."""
    image = np.full((720, 600, 3), 200, np.uint8)
    ben = crop_of(BEN, 320)
    x1, y1, x2, y2 = ben.box_xyxy
    image[200:520, 345 - x1 : 345 - x1 + 256] = ben.image
    return FaceCrop(image, (0, 200, 320, 520)), FaceCrop(image, (345, 200 + y1, 345 + x2 - x1, 200 + y2))
