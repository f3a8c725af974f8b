"""Photographs people hand in: opened with care, and only with exactly one face, good enough to be known by."""

import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from recognizer.cascade import FaceCascade, to_gray
from recognizer.errors import PhotoError
from recognizer.observation import Box, FaceCrop, Image
from recognizer.picture import decode_picture, read_picture_file
from recognizer.quality import Finding, findings

__all__ = ["Photo", "check_photo", "every_face", "find_faces", "open_photo", "read_photo"]

WORKING_SIDE_PX = 800
SMALLEST_FACE_PX = 30
NEAR_FACE_PX = 100
"""A face lower than this in the working copy is looked at in a larger one: someone far away on a phone's picture."""
HARDLY_LARGER_PX = 120
BYSTANDER = 0.4
"""A face less than this share of the largest one's height is somebody in the background."""

_lock = threading.Lock()  # dlib's detector crashes when threads share it


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph with one face, and the SHA-256 of its file."""

    face: FaceCrop
    sha256: str


def read_photo(path: Path, max_bytes: int, max_pixels: int) -> Photo:
    """`open_photo` of a file. Raises PhotoError also for one that cannot be read or is larger than `max_bytes`."""
    return open_photo(read_picture_file(path, max_bytes), str(path), max_pixels)


def open_photo(content: bytes, name: str, max_pixels: int) -> Photo:
    """Decode a photograph and find its one face.

    Raises PhotoError, naming `name`, for what is no picture or too large, and for a picture with no face or several.
    """
    image = decode_picture(content, name, max_pixels, WORKING_SIDE_PX)
    boxes = find_faces(image)
    if not boxes:
        raise refusal(name, _faceless(image))
    if len(boxes) > 1:
        sentence = (
            f"The photo shows {len(boxes)} faces: take one with nobody else in it, not even on a poster."
        )
        raise refusal(name, Finding("several", sentence))
    face = FaceCrop(image, boxes[0])
    if boxes[0][3] - boxes[0][1] < NEAR_FACE_PX:
        face = _nearer(face, decode_picture(content, name, max_pixels, 4 * WORKING_SIDE_PX))
    return Photo(face, hashlib.sha256(content).hexdigest())


def check_photo(photo: Photo, name: str) -> None:
    """Raise PhotoError, with the most useful thing to be told, where the face is not good enough to be enrolled."""
    if found := findings(photo.face):
        raise refusal(name, found[0])


def refusal(name: str, finding: Finding) -> PhotoError:
    return PhotoError(f"{name}: {finding.sentence}", finding.sentence, finding.fault)


def _nearer(face: FaceCrop, image: Image) -> FaceCrop:
    """The same face, cut out of a larger copy of the picture."""
    scale = image.shape[1] / face.image.shape[1]
    x1, y1, x2, y2 = (round(edge * scale) for edge in face.box_xyxy)
    margin = y2 - y1
    left, top = max(0, x1 - margin), max(0, y1 - margin)
    cut = np.ascontiguousarray(image[top : y2 + margin, left : x2 + margin])
    return FaceCrop(cut, (x1 - left, y1 - top, x2 - left, y2 - top))


def find_faces(image: Image) -> list[Box]:
    """The faces of a photograph, largest first, bystanders in the background left out.

        A cascade alone misses one enrolment photograph in thirty, so a histogram-of-gradients detector looks first and
        the cascade is asked where it sees nothing. That detector missed the second face in none of 60 pictures of two; the
    cascade, asked for more, mostly adds ties and collars.
    """
    boxes = _hog(image) or _haar(image)
    boxes.sort(key=lambda box: box[1] - box[3])
    tallest = boxes[0][3] - boxes[0][1] if boxes else 0
    return [box for box in boxes if box[3] - box[1] >= BYSTANDER * tallest]


def every_face(image: Image) -> list[Box]:
    """All faces of a picture of several people, down to some 40 pixels, in no order.

    The detector sees faces from 80 pixels on; where some are hardly larger, there may be smaller ones, and it looks at the
    picture at twice its size, which takes four times as long.
    """
    found = _hog(image, enlarge=0)
    if not found or min(box[3] - box[1] for box in found) < HARDLY_LARGER_PX:
        found = _hog(image, enlarge=1)
    return found or _haar(image)


def _hog(image: Image, enlarge: int | None = None) -> list[Box]:
    """`enlarge`: how often to double the picture; None: as its size suggests."""
    rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    height, width = rgb.shape[:2]
    upsample = (1 if max(height, width) < 500 else 0) if enlarge is None else enlarge
    with _lock:
        found = _hog_detector()(rgb, upsample)
    return [
        (max(0, box.left()), max(0, box.top()), min(width, box.right() + 1), min(height, box.bottom() + 1))
        for box in found
    ]


def _haar(image: Image) -> list[Box]:
    return FaceCascade().find(to_gray(image), neighbours=3, smallest_px=SMALLEST_FACE_PX)


def _faceless(image: Image) -> Finding:
    """Why no face is found on a picture, as far as that can be told."""
    if any(_hog(np.ascontiguousarray(np.rot90(image, turns))) for turns in (1, 3, 2)):
        return Finding("lying", "The photo lies on its side or upside down: turn it upright.")
    gray = to_gray(image)
    if lit := find_faces(np.asarray(cv2.cvtColor(cv2.equalizeHist(gray), cv2.COLOR_GRAY2BGR), np.uint8)):
        for finding in findings(FaceCrop(image, lit[0])):
            if finding.fault in {"dark", "bright"}:
                return finding
    return Finding(
        "none", "The photo shows no face: take one from the front, in good light, with the whole face in it."
    )


@cache
def _hog_detector() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()
