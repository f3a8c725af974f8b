"""Photographs people hand in: opened with care, and only with exactly one face."""

import hashlib
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

__all__ = ["Photo", "read_photo"]

WORKING_SIDE_PX = 800
MIN_FACE_PX = 60
BYSTANDER = 0.4
"""A face less than this share of the largest one's height is somebody in the background."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph with one face, and the SHA-256 of its file."""

    face: FaceCrop
    sha256: str


def read_photo(path: Path, max_bytes: int, max_pixels: int) -> Photo:
    """Open a photograph and find its one face.

    Raises PhotoError, in a sentence for the person who gave it, for a file that is no picture or too large, and for
    a picture with no face, several faces or too small a face.
    """
    content = read_picture_file(path, max_bytes)
    image = decode_picture(content, str(path), max_pixels, WORKING_SIDE_PX)
    boxes = find_faces(image)
    if not boxes:
        raise PhotoError(f"{path} shows no face; give one taken from the front, in good light")
    if len(boxes) > 1:
        raise PhotoError(f"{path} shows {len(boxes)} faces; give one with nobody else in it")
    _, top, _, bottom = boxes[0]
    if bottom - top < MIN_FACE_PX:
        raise PhotoError(
            f"{path} shows a face only {bottom - top} pixels high; give one of at least {MIN_FACE_PX}"
        )
    return Photo(FaceCrop(image, boxes[0]), hashlib.sha256(content).hexdigest())


def find_faces(image: Image) -> list[Box]:
    """The faces of a photograph, largest first, bystanders in the background left out.

    A cascade alone misses one enrolment photograph in thirty, so a histogram-of-gradients detector looks first and
    the cascade is asked where it sees nothing.
    """
    boxes = _hog(image) or _haar(image)
    boxes.sort(key=lambda box: box[1] - box[3])
    tallest = boxes[0][3] - boxes[0][1] if boxes else 0
    return [box for box in boxes if box[3] - box[1] >= BYSTANDER * tallest]


def _hog(image: Image) -> list[Box]:
    rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    height, width = rgb.shape[:2]
    upsample = 1 if max(height, width) < 500 else 0
    found = _hog_detector()(rgb, upsample)
    return [
        (max(0, box.left()), max(0, box.top()), min(width, box.right() + 1), min(height, box.bottom() + 1))
        for box in found
    ]


def _haar(image: Image) -> list[Box]:
    return FaceCascade().find(to_gray(image), neighbours=3, smallest_px=MIN_FACE_PX // 2)


@cache
def _hog_detector() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()
