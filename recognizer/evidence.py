"""The crops behind a look's conclusions, handed to the archive without ever holding up the look."""

import logging
import threading
import time
from collections.abc import Mapping

import cv2
import numpy as np

from db.errors import EvidenceError, GridrollError
from db.evidence import Archive, Kept
from db.evidence.sweeping import Sweeper
from recognizer.observation import FaceCrop

__all__ = ["Evidence", "jpeg_of"]

LONGEST_PX = 256
QUALITY = 85
PAUSE_S = 60.0
"""For how long a store that failed is left alone: a class must not wait for its timeouts at every look."""

_log = logging.getLogger(__name__)


class Evidence:
    """Keeps crops while the archive takes them. An archive that is away costs its crops and never a look.

    `archive`: None keeps nothing. Raises ConfigError at once where the keys cannot be used. Safe to share between threads.
    """

    def __init__(self, archive: Archive | None = None) -> None:
        self._archive = archive
        self._sweeper = None if archive is None else Sweeper(archive)
        self._lock = threading.Lock()
        self._paused_until = 0.0
        self._away = False
        if archive is not None and archive.keeps:
            _ = archive.keys

    def keep(self, crops: Mapping[str, FaceCrop]) -> tuple[Kept, ...]:
        """Store the crops by track, to be attached to their look; empty where they cannot be kept.

        That is logged once, until crops are kept again.
        """
        if self._archive is None or not self._archive.keeps or not crops:
            return ()
        with self._lock:
            if time.monotonic() < self._paused_until:
                return ()
        try:
            kept = self._archive.keep({track: jpeg_of(crop) for track, crop in crops.items()})
        except GridrollError as error:
            with self._lock:
                self._paused_until = time.monotonic() + PAUSE_S
                known, self._away = self._away, True
            if not known:
                _log.warning("looks are stored, but without their crops: %s", error)
            return ()
        with self._lock:
            back, self._away = self._away, False
        if back:
            _log.warning("crops are kept again")
        return kept

    def tend(self) -> None:
        """Let go of old crops, once in an hour."""
        if self._sweeper is not None:
            self._sweeper.tend()


def jpeg_of(crop: FaceCrop) -> bytes:
    """The crop as a JPEG file of at most 256 pixels a side; the same crop gives the same bytes. Raises EvidenceError."""
    image = crop.image
    scale = LONGEST_PX / max(1, *image.shape[:2])
    if scale < 1:
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        encoded, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    except cv2.error as error:
        raise EvidenceError(f"a crop of shape {image.shape} is no picture") from error
    if not encoded:
        raise EvidenceError(f"a crop of shape {image.shape} cannot be made a JPEG")
    return content.tobytes()
