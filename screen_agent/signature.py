"""What a face or a tile looks like, small enough to keep and to compare."""

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from recognizer.observation import Box, Gray

__all__ = [
    "DIFFERENT_FACE",
    "Signature",
    "aligned_likeness",
    "difference",
    "face_patch",
    "face_signature",
    "shifted_signatures",
    "tile_signature",
]

Signature = NDArray[np.float32]

DIFFERENT_FACE = 0.51
"""Difference of two face signatures from which they are two people: finds 99.6 % of swaps before the same background
and asks needlessly in .8 % of looks (measured on photographs shifted by up to 12 %)."""
SHIFT = 3
LEAST_CONTRAST = 2.0
"""Grey levels: a plain box (a covered camera) has no contrast to speak of, and dividing by less would only blow up noise."""

PATCH_PX = 32
AROUND = 0.35
"""Share of the face box added on each side to where a patch is looked for."""
SCALED, DISTORTED = 1.35, 1.08
"""How much larger or smaller a face may be, and how much more so one way than the other, when it is aligned with a patch.
The cascade's boxes of one face differ by up to a third; a face that moves is not distorted. Without limits anything can be
aligned with a point of anything."""


def face_signature(gray: Gray, box_xyxy: Box) -> Signature:
    """The face box as 16×16 grey levels, standardised: float32 of shape (256,)."""
    return _standardised(gray, box_xyxy, (16, 16))


def tile_signature(gray: Gray, tile_xyxy: Box) -> Signature:
    """The whole tile as 16×9 grey levels, standardised: float32 of shape (144,)."""
    return _standardised(gray, tile_xyxy, (16, 9))


def difference(one: Signature, other: Signature) -> float:
    """Mean absolute difference of two signatures; about 0 for the same picture, 1.1 for unrelated ones."""
    return float(np.abs(one - other).mean())


def shifted_signatures(gray: Gray, box_xyxy: Box) -> tuple[Signature, list[Box]]:
    """The signatures of boxes up to `SHIFT` sixteenths of the face aside, float32 of shape (n, 256), and these boxes."""
    x1, y1, x2, y2 = box_xyxy
    across, down = (x2 - x1) / 16, (y2 - y1) / 16
    steps = range(-SHIFT, SHIFT + 1)
    left, top = round(x1 - SHIFT * across), round(y1 - SHIFT * down)
    right, bottom = round(x2 + SHIFT * across), round(y2 + SHIFT * down)
    height, width = gray.shape
    if left < 0 or top < 0 or right > width or bottom > height:
        return np.empty((0, 256), np.float32), []
    cells = 16 + 2 * SHIFT
    small = cv2.resize(gray[top:bottom, left:right], (cells, cells), interpolation=cv2.INTER_AREA)
    windows = sliding_window_view(small.astype(np.float32), (16, 16)).reshape(-1, 256)
    means = windows.mean(axis=1, keepdims=True)
    spreads = np.maximum(windows.std(axis=1, keepdims=True), LEAST_CONTRAST)
    boxes = [
        (
            round(x1 + right * across),
            round(y1 + lower * down),
            round(x2 + right * across),
            round(y2 + lower * down),
        )
        for lower in steps
        for right in steps
    ]
    return np.asarray((windows - means) / spreads, np.float32), boxes


def face_patch(gray: Gray, box_xyxy: Box) -> Gray:
    """The face box as `PATCH_PX` × `PATCH_PX` grey levels, to be found again by `aligned_likeness`."""
    x1, y1, x2, y2 = box_xyxy
    small = cv2.resize(gray[y1:y2, x1:x2], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def aligned_likeness(patch: Gray, gray: Gray, box_xyxy: Box) -> float:
    """Correlation of a face patch with the face in a box once moved, turned and scaled onto it; 0 where it cannot be.

    About .3 ms. Method: Evangelidis and Psarakis, enhanced correlation coefficient, 2008.
    """
    x1, y1, x2, y2 = box_xyxy
    height, width = gray.shape
    across, down = PATCH_PX / (x2 - x1), PATCH_PX / (y2 - y1)
    beside, above = round(AROUND * (x2 - x1)), round(AROUND * (y2 - y1))
    left, top = max(0, x1 - beside), max(0, y1 - above)
    right, bottom = min(width, x2 + beside), min(height, y2 + above)
    size = round((right - left) * across), round((bottom - top) * down)
    around = cv2.resize(gray[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    warp = np.array([[1, 0, (x1 - left) * across], [0, 1, (y1 - top) * down]], np.float32)
    everywhere = np.full_like(around, 255)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)
    try:
        likeness, found = cv2.findTransformECC(patch, around, warp, cv2.MOTION_AFFINE, stop, everywhere, 3)
    except cv2.error:
        # Nothing to align by: it did not converge, or one of the two is plain.
        return 0.0
    least, most = sorted(np.linalg.svd(np.asarray(found)[:, :2], compute_uv=False).tolist())
    possible = least > 1 / SCALED and most < min(SCALED, DISTORTED * least)
    return float(likeness) if possible else 0.0


def _standardised(gray: Gray, box_xyxy: Box, size: tuple[int, int]) -> Signature:
    x1, y1, x2, y2 = box_xyxy
    small = cv2.resize(gray[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA)
    mean, spread = cv2.meanStdDev(small)
    scale = 1.0 / max(float(spread[0, 0]), LEAST_CONTRAST)
    return np.asarray((small.ravel() - np.float32(mean[0, 0])) * np.float32(scale), np.float32)
