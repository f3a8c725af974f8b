"""Finds the participants' tiles of a gallery view."""

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.observation import Box, Image

__all__ = ["find_tiles", "overlap"]

WORKING_WIDTH_PX = 1000
GAP_LENGTH_PX = 25
TOLERANCE = 8
"""Grey levels by which compression and dithering move a plain background."""
MIN_AREA, MIN_FILL = 0.01, 0.9
MIN_ASPECT, MAX_ASPECT = 0.6, 2.4
ALIKE = 0.15


def find_tiles(image: Image) -> list[Box]:
    """The tiles, in reading order, as pixels xyxy; empty where the picture is no gallery.

    A gallery has a plain background; what stands out of it as a filled rectangle of a picture's proportions, about as
    large as most others, is a tile. Tool bars are too long, icons too small, and a lone picture on a plain page is
    taken for a gallery of one.
    """
    width = image.shape[1]
    scale = min(1.0, WORKING_WIDTH_PX / width)
    small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    background = _background(small)
    near = np.asarray(np.abs(small.astype(np.int16) - background).max(axis=2) <= TOLERANCE, np.float32)
    # Compression rings beside edges; along a gap, be it level or upright, most of it still is background.
    plain = np.maximum(cv2.blur(near, (GAP_LENGTH_PX, 1)), cv2.blur(near, (1, GAP_LENGTH_PX))) >= 0.5
    mask = (~plain).astype(np.uint8)
    # Opening cuts the thin lines (borders of bars, shadows) that could join two tiles.
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        filled = cv2.contourArea(contour) >= MIN_FILL * w * h
        if (
            filled
            and w * h >= MIN_AREA * small.shape[0] * small.shape[1]
            and MIN_ASPECT <= w / h <= MAX_ASPECT
        ):
            boxes.append((round(x / scale), round(y / scale), round((x + w) / scale), round((y + h) / scale)))
    return _reading_order(_alike(boxes))


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _background(small: Image) -> NDArray[np.int16]:
    """The commonest colour along the picture's rim and its gaps, int16 of shape (3,)."""
    quantised = (small >> 2).astype(np.int32)
    codes = (quantised[..., 0] << 12) | (quantised[..., 1] << 6) | quantised[..., 2]
    rim = np.concatenate([codes[:, :4].ravel(), codes[:, -4:].ravel()])
    values, counts = np.unique(rim, return_counts=True)
    code = int(values[counts.argmax()])
    members = small[codes == code]
    return np.asarray(np.median(members, axis=0), np.int16)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _alike(boxes: list[Box]) -> list[Box]:
    """Those about as wide and high as the largest group of equals."""
    groups = [
        [
            box
            for box in boxes
            if abs((box[2] - box[0]) / (model[2] - model[0]) - 1) <= ALIKE
            and abs((box[3] - box[1]) / (model[3] - model[1]) - 1) <= ALIKE
        ]
        for model in boxes
    ]
    return max(groups, key=lambda group: (sum(map(_area, group)), len(group)), default=[])


def _reading_order(boxes: list[Box]) -> list[Box]:
    if not boxes:
        return []
    row_height = max(1, round(float(np.median([box[3] - box[1] for box in boxes]))))
    return sorted(boxes, key=lambda box: (round(box[1] / row_height), box[0]))
