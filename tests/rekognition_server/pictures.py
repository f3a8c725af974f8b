"""What the service sees on a picture: its limits, the faces, and how good they are."""

import io
import math
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage

from recognizer.observation import Box, FaceCrop, Image
from recognizer.photo import find_faces
from tests.rekognition_server.faults import ServiceError

__all__ = ["FoundFace", "find", "open_picture"]

MAX_BYTES = 5_242_880
MIN_SIDE_PX = 80
MIN_FACE_PX = 40
FULL_HD_PX = 1920


@dataclass(frozen=True, slots=True)
class FoundFace:
    """A face on a picture: `crop` holds the whole picture, `detail` is the service's FaceDetail of it."""

    crop: FaceCrop
    detail: dict[str, Any]

    @property
    def box(self) -> dict[str, float]:
        box: dict[str, float] = self.detail["BoundingBox"]
        return box

    def faults(self) -> list[str]:
        """Reasons why the AUTO filter would not take it."""
        reasons = []
        if self.detail["Quality"]["Brightness"] < 15:
            reasons.append("LOW_BRIGHTNESS")
        if self.detail["Quality"]["Sharpness"] < 10:
            reasons.append("LOW_SHARPNESS")
        if abs(self.detail["Pose"]["Yaw"]) > 50:
            reasons.append("EXTREME_POSE")
        return reasons


def open_picture(content: bytes) -> Image:
    """Decode a picture as blue, green, red. ServiceError for what the service does not take."""
    if len(content) > MAX_BYTES:
        raise ServiceError("ImageTooLargeException", "Image size is too large. Maximum image size is 5 MB.")
    try:
        with PillowImage.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            rgb = np.asarray(picture.convert("RGB"), np.uint8)
    except (OSError, ValueError) as error:
        raise ServiceError("InvalidImageFormatException", "Request has invalid image format") from error
    if min(rgb.shape[:2]) < MIN_SIDE_PX:
        raise ServiceError("InvalidParameterException", "Minimum image height and width is 80 pixels")
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def find(image: Image) -> list[FoundFace]:
    """The faces that are large enough for the service, largest first."""
    height, width = image.shape[:2]
    smallest = MIN_FACE_PX * max(1.0, max(height, width) / FULL_HD_PX)
    boxes = [box for box in find_faces(image) if min(box[2] - box[0], box[3] - box[1]) >= smallest]
    return [FoundFace(FaceCrop(image, box), _detail(image, box)) for box in boxes]


def _detail(image: Image, box: Box) -> dict[str, Any]:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = box
    face = cv2.cvtColor(image[y1:y2, x1:x2], cv2.COLOR_BGR2GRAY)
    edges = cv2.Laplacian(cv2.resize(face, (112, 112), interpolation=cv2.INTER_AREA), cv2.CV_64F).var()
    roll, yaw = _pose(image, box)
    return {
        "BoundingBox": {
            "Left": x1 / width,
            "Top": y1 / height,
            "Width": (x2 - x1) / width,
            "Height": (y2 - y1) / height,
        },
        "Confidence": 99.9,
        "Pose": {"Roll": roll, "Yaw": yaw, "Pitch": 0.0},
        "Quality": {
            "Brightness": float(face.mean()) / 255 * 100,
            "Sharpness": 100 * (1 - math.exp(-float(edges) / 100)),
        },
    }


def _pose(image: Image, box: Box) -> tuple[float, float]:
    """Degrees of roll and, roughly, yaw: from the line of the eyes, and how far the nose is off its middle."""
    dlib, predict = _landmarks()
    shape = predict(np.ascontiguousarray(image[:, :, ::-1]), dlib.rectangle(*box))
    points = np.array([(point.x, point.y) for point in shape.parts()], float)
    left, right = sorted((points[0:2].mean(axis=0), points[2:4].mean(axis=0)), key=lambda eye: float(eye[0]))
    axis = right - left
    span = max(1.0, float(np.hypot(*axis)))
    aside = float(np.dot(points[4] - (left + right) / 2, axis)) / span**2
    roll = math.degrees(math.atan2(axis[1], axis[0]))
    return roll, math.degrees(math.asin(max(-1.0, min(1.0, 1.5 * aside))))


@cache
def _landmarks() -> tuple[Any, Any]:
    import dlib

    spec = find_spec("face_recognition_models")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    return dlib, dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
