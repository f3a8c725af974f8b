"""Painting in units of a thousandth of the sheet: antialiased shapes, strokes, glows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Reals = npt.NDArray[np.floating[Any]]
Points = Sequence[tuple[float, float]] | npt.NDArray[Any]
Colour = Sequence[float] | Reals

UNITS = 1000.0
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Patch:
    """A soft mask over a part of a sheet: `alpha` is (h, w) float32 0..1, its corner at `left`, `top` px."""

    alpha: Floats
    left: int
    top: int

    def within(self, other: Patch) -> Patch:
        """Keep what both cover."""
        return self._combined(other, inverse=False)

    def without(self, other: Patch) -> Patch:
        """Keep what the other doesn't cover."""
        return self._combined(other, inverse=True)

    def _combined(self, other: Patch, *, inverse: bool) -> Patch:
        height, width = self.alpha.shape
        spread = np.zeros((height, width), np.float32)
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + height, other.top + other.alpha.shape[0])
        right = min(self.left + width, other.left + other.alpha.shape[1])
        if bottom > top and right > left:
            spread[top - self.top : bottom - self.top, left - self.left : right - self.left] = other.alpha[
                top - other.top : bottom - other.top, left - other.left : right - other.left
            ]
        return Patch(self.alpha * (1 - spread if inverse else spread), self.left, self.top)


def curve(points: Points, *, closed: bool = False, steps: int = 10) -> Floats:
    """Draw a uniform Catmull-Rom curve through points (n, 2); gives (m, 2) float32."""
    p = np.asarray(points, np.float32)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    body = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = body.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, p[-2:-1]])


def mirrored(points: Points) -> Floats:
    """Reflect points across the middle of the sheet."""
    p = np.array(points, np.float32)
    p[:, 0] = UNITS - p[:, 0]
    return p


class Sheet:
    """A square colour image being painted: `bgr` (side, side, 3) and `alpha` (side, side), float32 0..1.

    `bgr` is premultiplied by `alpha`, so that soft edges carry no dark fringe.

    Coordinates, widths and blurs of every method are in units of side / 1000; y points down. Methods
    that make a mask return a `Patch` and paint nothing; `paint`, `shade` and `lift` change the sheet.
    """

    def __init__(self, side_px: int) -> None:
        self.side = side_px
        self.k = side_px / UNITS
        self.bgr: Floats = np.zeros((side_px, side_px, 3), np.float32)
        self.alpha: Floats = np.zeros((side_px, side_px), np.float32)

    def copy(self) -> Sheet:
        """Give a sheet that can be painted on without changing this one."""
        other = Sheet.__new__(Sheet)
        other.side, other.k = self.side, self.k
        other.bgr, other.alpha = self.bgr.copy(), self.alpha.copy()
        return other

    def box(self, left: float, top: float, right: float, bottom: float) -> tuple[int, int, int, int]:
        """Give the pixel box (left, top, right, bottom) that covers a box in units, cut to the sheet."""
        x1, y1 = (int(np.clip(v * self.k - 2, 0, self.side - 1)) for v in (left, top))
        x2, y2 = (int(np.clip(np.ceil(v * self.k + 2), 1, self.side)) for v in (right, bottom))
        return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)

    def fill(self, points: Points, blur: float = 0.0) -> Patch:
        """Mask the inside of a polygon."""
        p = np.asarray(points, np.float32)
        margin = 3 * blur
        x1, y1, x2, y2 = self.box(
            p[:, 0].min() - margin, p[:, 1].min() - margin, p[:, 0].max() + margin, p[:, 1].max() + margin
        )
        mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
        pixels = np.round((p * self.k - (x1 + 0.5, y1 + 0.5)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [pixels], 255, cv2.LINE_AA, _SHIFT)
        return self.soften(Patch(mask.astype(np.float32) * np.float32(1 / 255), x1, y1), blur)

    def stroke(self, points: Points, width: float | Reals, blur: float = 0.0) -> Patch:
        """Mask a line of constant width, or one width per point: taper it to 0 at the ends for a brush."""
        p = np.asarray(points, np.float32)
        along = np.gradient(p, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], 1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        half = np.broadcast_to(np.asarray(width, np.float32), (len(p),))[:, None] / 2
        return self.fill(np.concatenate([p + normal * half, (p - normal * half)[::-1]]), blur)

    def hairs(self, lines: Reals, width: float) -> Patch:
        """Mask many thin lines (n, points, 2) of one width."""
        low, high = lines.min((0, 1)) - width, lines.max((0, 1)) + width
        x1, y1, x2, y2 = self.box(low[0], low[1], high[0], high[1])
        mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
        pixels = np.round((lines * self.k - (x1 + 0.5, y1 + 0.5)) * (1 << _SHIFT)).astype(np.int32)
        thick = max(1, round(width * self.k))
        thin = min(1.0, width * self.k)
        cv2.polylines(mask, list(pixels), False, 255 * thin, thick, cv2.LINE_AA, _SHIFT)
        return Patch(mask.astype(np.float32) * np.float32(1 / 255), x1, y1)

    def glow(self, x: float, y: float, sx: float, sy: float, angle: float = 0.0) -> Patch:
        """Mask a Gaussian spot with standard deviations `sx` and `sy`, turned by `angle` radians."""
        across = 3 * float(np.hypot(sx * np.cos(angle), sy * np.sin(angle)))
        down = 3 * float(np.hypot(sx * np.sin(angle), sy * np.cos(angle)))
        x1, y1, x2, y2 = self.box(x - across, y - down, x + across, y + down)
        gx = (np.arange(x1, x2, dtype=np.float32)[None, :] + 0.5) / self.k - x
        gy = (np.arange(y1, y2, dtype=np.float32)[:, None] + 0.5) / self.k - y
        u = gx * np.cos(angle) + gy * np.sin(angle)
        v = gy * np.cos(angle) - gx * np.sin(angle)
        alpha = np.exp(-0.5 * ((u / sx) ** 2 + (v / sy) ** 2)).astype(np.float32)
        return Patch(np.maximum((alpha - 0.0111) / 0.9889, 0), x1, y1)

    def soften(self, patch: Patch, blur: float) -> Patch:
        """Blur a mask."""
        sigma = blur * self.k
        if sigma < 0.3:
            return patch
        return Patch(cv2.GaussianBlur(patch.alpha, (0, 0), sigma).astype(np.float32), patch.left, patch.top)

    def whole(self, values: Floats) -> Patch:
        """Take a (side, side) array as a mask."""
        return Patch(values, 0, 0)

    def paint(self, patch: Patch, colour: Colour, opacity: float = 1.0) -> None:
        """Lay a colour, or an (h, w, 3) picture the size of the mask, over the sheet."""
        rows, columns = self._place(patch)
        a = patch.alpha * np.float32(opacity)
        view = self.bgr[rows, columns]
        view += (np.asarray(colour, np.float32) - view) * a[..., None]
        cover = self.alpha[rows, columns]
        cover += (1 - cover) * a

    def shade(self, patch: Patch, factor: Colour | float, opacity: float = 1.0) -> None:
        """Multiply colours under the mask, leaving what the sheet covers as it is."""
        rows, columns = self._place(patch)
        f = np.broadcast_to(np.asarray(factor, np.float32), (3,))
        self.bgr[rows, columns] *= 1 + (f - 1) * (patch.alpha * np.float32(opacity))[..., None]

    def lift(self, patch: Patch, amount: Colour | float) -> None:
        """Add light under the mask, where something is painted."""
        rows, columns = self._place(patch)
        light = (patch.alpha * self.alpha[rows, columns])[..., None]
        self.bgr[rows, columns] += np.asarray(amount, np.float32) * light

    def raise_field(self, field: Floats, patch: Patch, amount: float) -> None:
        """Add a mask times `amount` to a (side, side) height field, in place."""
        rows, columns = self._place(patch)
        field[rows, columns] += patch.alpha * np.float32(amount)

    def lay(self, other: Sheet) -> None:
        """Lay another sheet of the same side over this one."""
        self.bgr = self.bgr * (1 - other.alpha)[..., None] + other.bgr
        self.alpha = self.alpha + (1 - self.alpha) * other.alpha

    def _place(self, patch: Patch) -> tuple[slice, slice]:
        height, width = patch.alpha.shape
        return slice(patch.top, patch.top + height), slice(patch.left, patch.left + width)
