"""Tells what the meeting software draws, an avatar or a name, from what a camera sees."""

import cv2
import numpy as np

from recognizer.observation import Gray

__all__ = ["is_drawn"]

FLAT_RANGE = 2
DRAWN = 0.75
"""Flat share of a tile from which it is drawn. On 600 photographs with a camera's noise and a codec at most .66 were
flat, of 400 avatars with initials or names at least .81, after another compression too."""


def is_drawn(tile: Gray) -> bool:
    """Whether a tile is a drawing: flat nearly everywhere, and along all four of its edges.

    Flat is where no neighbour differs by more than two grey levels. A small picture in the middle of a plain tile,
    which shows somebody who is not there, counts as a drawing too.
    """
    lightest = cv2.dilate(tile, np.ones((3, 3), np.uint8))
    darkest = cv2.erode(tile, np.ones((3, 3), np.uint8))
    flat = cv2.subtract(lightest, darkest) <= FLAT_RANGE
    if flat.mean() < DRAWN:
        return False
    height, width = tile.shape
    rim = max(3, height // 16)
    down, across = slice(height // 4, 3 * height // 4), slice(width // 4, 3 * width // 4)
    sides = (
        flat[2 : 2 + rim, across],
        flat[-2 - rim : -2, across],
        flat[down, 2 : 2 + rim],
        flat[down, -2 - rim : -2],
    )
    return all(side.mean() >= DRAWN for side in sides)
