"""What a face or a tile looks like, small enough to keep and to compare."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.cascade import to_gray
from recognizer.observation import Box, Image

__all__ = ["DIFFERENT_FACE", "DIFFERENT_TILE", "Signature", "difference", "face_signature", "tile_signature"]

Signature = NDArray[np.float32]

DIFFERENT_FACE = 0.51
"""Difference of two face signatures from which they are two people: finds 99.6 % of swaps before the same background
and asks needlessly in .8 % of looks (measured on photographs shifted by up to 12 %)."""
DIFFERENT_TILE = 0.8


def face_signature(image: Image, box_xyxy: Box) -> Signature:
    """The face box as 16×16 grey levels, standardised: float32 of shape (256,)."""
    return _standardised(image, box_xyxy, (16, 16))


def tile_signature(image: Image, tile_xyxy: Box) -> Signature:
    """The whole tile as 16×9 grey levels, standardised: float32 of shape (144,)."""
    return _standardised(image, tile_xyxy, (16, 9))


def difference(one: Signature, other: Signature) -> float:
    """Mean absolute difference of two signatures; about 0 for the same picture, 1.1 for unrelated ones."""
    return float(np.abs(one - other).mean())


def _standardised(image: Image, box_xyxy: Box, size: tuple[int, int]) -> Signature:
    x1, y1, x2, y2 = box_xyxy
    gray = to_gray(image[y1:y2, x1:x2])
    small = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.float32).ravel()
    # A plain box (a covered camera) has no contrast to speak of: dividing by less would only blow up its noise.
    return np.asarray((small - small.mean()) / max(float(small.std()), 2.0), np.float32)
