"""Pictures as Rekognition wants them: one head with its shoulders, large enough, small enough."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from recognizer.errors import EngineError
from recognizer.observation import FaceCrop

__all__ = ["Portrait", "portrait_of"]

MARGINS = (0.5, 0.6, 0.5, 0.7)
"""Kept around the face to the left, above, to the right and below, in faces: hair, chin and shoulders, few neighbours."""

MIN_FACE_PX = 50
"""AWS asks for 40 in a picture of 1920×1080, and for 50 where faces are compared."""

MIN_SIDE_PX = 80
MAX_SIDE_PX = 1280
"""At 80 the service's own limit; 1280 pixels a side stay under its 5 MB whatever they show."""

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Portrait:
    """`content`: a JPEG file. `face`: left, top, right and bottom of the face, as shares of width and height."""

    content: bytes
    face: tuple[float, float, float, float]

    def shows(self, box: Mapping[str, float]) -> bool:
        """Whether a box that the service reports is this portrait's face and not a neighbour's.

        It is when its middle lies in the face, or no further outside than a quarter of it: detectors differ by that.
        """
        left, top, right, bottom = self.face
        x, y = box["Left"] + box["Width"] / 2, box["Top"] + box["Height"] / 2
        slack_x, slack_y = (right - left) / 4, (bottom - top) / 4
        return left - slack_x <= x <= right + slack_x and top - slack_y <= y <= bottom + slack_y


def portrait_of(crop: FaceCrop) -> Portrait:
    """Cut out head and shoulders, enlarge what is under the service's minimum, and encode it.

    Raises EngineError for a face box that is empty or outside the picture.
    """
    image, (x1, y1, x2, y2) = crop.image, crop.box_xyxy
    height, width = image.shape[:2]
    if x2 <= x1 or y2 <= y1 or x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
        raise EngineError(f"face box {crop.box_xyxy} is empty in a picture of {width}×{height}")
    face_w, face_h = x2 - x1, y2 - y1
    left = max(0, round(x1 - MARGINS[0] * face_w))
    top = max(0, round(y1 - MARGINS[1] * face_h))
    right = min(width, round(x2 + MARGINS[2] * face_w))
    bottom = min(height, round(y2 + MARGINS[3] * face_h))
    cut_w, cut_h = right - left, bottom - top
    scale = max(1.0, MIN_SIDE_PX / min(cut_w, cut_h), MIN_FACE_PX / min(face_w, face_h))
    scale = min(scale, MAX_SIDE_PX / max(cut_w, cut_h))
    cut = image[top:bottom, left:right]
    if scale != 1.0:
        size = (max(1, round(cut_w * scale)), max(1, round(cut_h * scale)))
        cut = np.asarray(
            cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8
        )
    _, encoded = cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    face = (
        (x1 - left) / cut_w,
        (y1 - top) / cut_h,
        (x2 - left) / cut_w,
        (y2 - top) / cut_h,
    )
    return Portrait(encoded.tobytes(), face)
