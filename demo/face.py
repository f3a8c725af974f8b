"""A drawn person, head and shoulders, who can turn, blink and speak."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from demo.beard import draw_beard
from demo.clothes import draw_clothes, draw_glasses
from demo.features import draw_brows, draw_eyes, draw_mouth, draw_nose
from demo.hair import draw_behind, draw_front
from demo.head import MID, build, draw_ears, draw_head, draw_neck, relief
from demo.sheet import UNITS, Floats, Sheet
from demo.traits import Face, Pose, face_from_seed

__all__ = ["Face", "Pose", "Turner", "draw_bust", "draw_front_view", "face_from_seed", "turner"]

Pixels = npt.NDArray[np.uint8]

# Larger plates are drawn once, for a photograph: keeping them would cost too much memory.
_KEPT_SIDE = 720


def draw_bust(face: Face, pose: Pose, height_px: int) -> Pixels:
    """Draw head and shoulders: (height_px, height_px, 4) BGRA uint8, alpha not multiplied in."""
    flat = turner(face, height_px).turned(draw_front_view(face, pose, height_px), pose)
    alpha = flat[..., 3:].astype(np.float32)
    colour = flat[..., :3] * (255 / np.maximum(alpha, 1))
    return np.concatenate([np.clip(colour, 0, 255), alpha], axis=2).round().astype(np.uint8)


def draw_front_view(face: Face, pose: Pose, height_px: int) -> Pixels:
    """Draw the face straight on: (height_px, height_px, 4) BGRA uint8, colours multiplied by alpha.

    Of the pose only `blink`, `mouth` and `light` count.
    """
    side = max(480, height_px * 2 if height_px <= 400 else height_px * 3 // 2)
    plate = _plate if side <= _KEPT_SIDE else _plate.__wrapped__
    sheet = plate(face, pose.light, side).copy()
    b = build(face)
    draw_mouth(sheet, face, b, pose)
    draw_beard(sheet, face, b, pose)
    draw_eyes(sheet, face, b, pose)
    draw_brows(sheet, face, b)
    draw_front(sheet, face, b, pose)
    draw_glasses(sheet, face, b)
    both = np.concatenate([np.clip(sheet.bgr, 0, 1), sheet.alpha[..., None]], axis=2)
    small = cv2.resize(both, (height_px, height_px), interpolation=cv2.INTER_AREA)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)


@lru_cache(maxsize=56)
def _plate(face: Face, light: float, side_px: int) -> Sheet:
    """Draw what neither a blink nor a word changes; not to be painted on."""
    sheet = Sheet(side_px)
    b = build(face)
    pose = Pose(light=light)
    draw_behind(sheet, face, b, pose)
    draw_neck(sheet, face, b, pose)
    draw_clothes(sheet, face, b, pose)
    if face.hairdo not in ("long", "wavy", "bob", "fringe", "hijab"):
        draw_ears(sheet, face, b, pose)
    draw_head(sheet, face, b, pose, relief(sheet, face, b))
    draw_nose(sheet, face, b)
    return sheet


class Turner:
    """Turns one face's front view by moving each point as its depth asks.

    Holds the displacement fields of one face at one size; calls don't change it, so threads may share
    it.
    """

    def __init__(self, face: Face, height_px: int) -> None:
        small = Sheet(240)
        b = build(face)
        depth = np.maximum(relief(small, face, b), 0)
        depth = cv2.GaussianBlur(depth, (0, 0), 6)
        gy = ((np.arange(240, dtype=np.float32) + 0.5) / small.k)[:, None]
        loose = 1 - np.clip((gy - b.chin_y + 30) / 170, 0, 1)
        loose = np.broadcast_to(loose * loose * (3 - 2 * loose), (240, 240))
        k = height_px / UNITS
        size = (height_px, height_px)
        self._depth: Floats = cv2.resize(depth - 40 * loose, size).astype(np.float32) * np.float32(k)
        self._loose: Floats = cv2.resize(np.ascontiguousarray(loose), size).astype(np.float32)
        grid = np.arange(height_px, dtype=np.float32)
        self._x: Floats = np.broadcast_to(grid, size).copy()
        self._y: Floats = np.broadcast_to(grid[:, None], size).copy()
        pivot_x, pivot_y = MID * k, (b.chin_y + 60) * k
        self._across: Floats = (self._x - pivot_x) * self._loose
        self._along: Floats = (self._y - pivot_y) * self._loose

    def turned(
        self, front: Pixels, pose: Pose, right_px: float = 0.0, down_px: float = 0.0, zoom: float = 1.0
    ) -> Pixels:
        """Give the front view (h, h, 4) turned, the whole shifted and enlarged; the same shape and type."""
        yaw, pitch, roll = (np.float32(np.radians(a)) for a in (pose.yaw, pose.pitch, pose.roll))
        middle = np.float32(front.shape[0] / 2)
        shrink = np.float32(1 / zoom)
        map_x = self._x * shrink - yaw * self._depth + roll * self._along
        map_x += middle * (1 - shrink) - np.float32(right_px)
        map_y = self._y * shrink - pitch * self._depth - roll * self._across
        map_y += middle * (1 - shrink) - np.float32(down_px)
        return cv2.remap(front, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
            np.uint8
        )


@lru_cache(maxsize=128)
def turner(face: Face, height_px: int) -> Turner:
    """Give the (shared) turner of a face at a size."""
    return Turner(face, height_px)
