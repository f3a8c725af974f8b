"""Pictures to hand in: the drawn people of the demo."""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from demo.cast import CAST, STRANGER, Person, portrait

__all__ = ["ANN", "BEN", "CID", "GUEST", "class_picture", "photo_of", "sent"]

ANN, BEN, CID, GUEST = CAST[0], CAST[1], CAST[2], STRANGER


def photo_of(person: Person, height_px: int = 640) -> bytes:
    """A photograph as a JPEG file."""
    return _jpeg(cv2.resize(portrait(person), (height_px * 4 // 5, height_px)))


def class_picture(people: Sequence[Person], height_px: int = 400) -> bytes:
    """These people side by side."""
    size = (height_px * 4 // 5, height_px)
    return _jpeg(np.hstack([cv2.resize(portrait(person), size) for person in people]))


def sent(content: bytes, name: str = "me.jpg") -> tuple[io.BytesIO, str]:
    """A file field of a form."""
    return io.BytesIO(content), name


def _jpeg(image: Any) -> bytes:
    encoded, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert encoded
    return bytes(content.tobytes())
