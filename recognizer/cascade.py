"""OpenCV's frontal-face cascade."""

from pathlib import Path

import cv2
import numpy as np

from recognizer.errors import RecognizerError
from recognizer.observation import Box, Gray, Image

__all__ = ["FaceCascade", "to_gray"]


class FaceCascade:
    """A Haar cascade that comes with OpenCV (Viola and Jones 2001; `alt2`: Lienhart 2003). For one thread.

    Raises RecognizerError where OpenCV comes without it, as version 5 does.
    """

    def __init__(self, file: str = "haarcascade_frontalface_alt2.xml") -> None:
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / file
        if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
            raise RecognizerError(
                f"OpenCV {cv2.__version__} has no Haar cascades; run 'pip install \"opencv-python<5\"'"
            )
        self._classifier = cv2.CascadeClassifier(str(path))

    def find(
        self,
        gray: Gray,
        neighbours: int,
        smallest_px: int,
        largest_px: int | None = None,
        step: float = 1.1,
    ) -> list[Box]:
        """Faces from `smallest_px` to `largest_px` wide (None: any), those that most windows agree on first.

        `step`: by which the window grows from one scale to the next.
        """
        limit = (0, 0) if largest_px is None else (largest_px, largest_px)
        found, votes = self._classifier.detectMultiScale2(
            gray, step, neighbours, minSize=(smallest_px, smallest_px), maxSize=limit
        )
        ranked = sorted(
            zip(np.asarray(votes).tolist(), np.asarray(found).tolist(), strict=True), reverse=True
        )
        return [(x, y, x + w, y + h) for _, (x, y, w, h) in ranked]


def to_gray(image: Image) -> Gray:
    """Luminance: uint8 of shape (height, width)."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
