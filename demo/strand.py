"""Strands: the texture of hair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from demo.head import MID
from demo.sheet import Floats, Patch, Sheet, curve
from demo.traits import Face, Pose

Guides = Sequence[Sequence[tuple[float, float]]]
_LEVELS = 24


def tress(
    sheet: Sheet, face: Face, shape: Patch, families: Sequence[Guides], pose: Pose, strands: int, tone: float
) -> None:
    """Fill a shape with strands that run between neighbouring guide curves of each family."""
    lines = np.stack([_evenly(guides) for guides in families])
    height, width = shape.alpha.shape
    key = np.round((lines - np.array([shape.left, shape.top]) / sheet.k) * 4).astype(np.int32)
    grain = _strands(face.seed, key.tobytes(), lines.shape, height, width, sheet.k, strands)
    dye(sheet, face, shape, grain, pose, tone)


def _evenly(guides: Guides, count: int = 8, steps: int = 25) -> Floats:
    """Give `count` curves between the guides: (count, steps, 2)."""
    fine = np.stack([curve(g, steps=12) for g in guides])
    fine = fine[:, np.linspace(0, fine.shape[1] - 1, steps).astype(int)]
    at = np.linspace(0, len(fine) - 1, count)
    low = np.minimum(at.astype(int), len(fine) - 2)
    share = (at - low)[:, None, None]
    return np.asarray(fine[low] * (1 - share) + fine[low + 1] * share, np.float32)


@lru_cache(maxsize=192)
def _strands(
    seed: int,
    lines_quarter_units: bytes,
    shape: tuple[int, ...],
    height: int,
    width: int,
    k: float,
    count: int,
) -> Floats:
    """Draw `count` strands per family between guide curves: (height, width) brightness about .45.

    Each strand is brighter a third of the way along, which gives hair its band of shine. The curves come
    as int32 bytes so that the answer can be kept: it costs more than all other drawing together.
    """
    rng = np.random.default_rng(seed + 3)
    families = np.frombuffer(lines_quarter_units, np.int32).reshape(shape).astype(np.float32) / 4
    grain = np.full((height, width), 0.42, np.float32)
    thick = max(1, round(2.2 * k))
    steps = shape[2]
    pieces: list[list[npt.NDArray[np.int32]]] = [[] for _ in range(_LEVELS)]
    for lines in families:
        at = rng.uniform(0, len(lines) - 1.001, count)
        low = at.astype(int)
        share = (at - low)[:, None, None]
        strands = lines[low] * (1 - share) + lines[low + 1] * share
        drift = np.linspace(0, 1, steps)[None, :, None] * rng.normal(0, 4, (count, 1, 2))
        pixels = np.round((strands + rng.normal(0, 2.2, (count, 1, 2)) + drift) * k * 16).astype(np.int32)
        bright = rng.normal(0.45, 0.17, count)
        ends = np.sort(rng.integers(0, steps, (count, 2)), axis=1)
        for line, light, (first, last) in zip(pixels, bright, ends, strict=True):
            for start in range(first, last, 5):
                ring = 0.30 * math.exp(-0.5 * (((start + 2) / steps - 0.33) / 0.13) ** 2)
                level = min(max(int((light + ring) * _LEVELS / 1.2), 0), _LEVELS - 1)
                pieces[level].append(line[start : min(start + 6, last + 1)])
    for turn in range(3):
        for level_no in rng.permutation(_LEVELS):
            some = pieces[level_no][turn::3]
            if some:
                cv2.polylines(grain, some, False, (level_no + 0.5) * 1.2 / _LEVELS, thick, cv2.LINE_AA, 4)
    grain = cv2.GaussianBlur(grain, (0, 0), max(0.4, 0.9 * k)).astype(np.float32)
    grain.setflags(write=False)
    return grain


def dye(sheet: Sheet, face: Face, shape: Patch, grain: Floats, pose: Pose, tone: float) -> None:
    """Paint a shape in hair colour, its grain as light and shade, lit from above."""
    base = np.asarray(face.hair, np.float32)
    shine = base * 1.5 + np.array([0.10, 0.11, 0.13], np.float32)
    least = 0.05 + 0.38 * float(np.clip(base.mean() * 1.6, 0, 0.8))
    g = np.clip(grain, least, 1.1)[..., None]
    colour = base * (0.45 + 0.75 * np.minimum(g / 0.5, 1)) + (shine - base) * np.maximum(g - 0.5, 0) * 1.1
    height, width = grain.shape
    y = (np.arange(height, dtype=np.float32)[:, None] + shape.top) / sheet.k
    x = (np.arange(width, dtype=np.float32)[None, :] + shape.left) / sheet.k
    lamp = np.exp(-0.5 * (((x - MID - 90 * pose.light) / 150) ** 2 + ((y - 170) / 110) ** 2))
    picture = np.clip(colour * tone * (0.84 + 0.36 * lamp[..., None]), 0, 1).astype(np.float32)
    sheet.paint(shape, picture)


def frayed(sheet: Sheet, face: Face, shape: Patch, line: Floats, reach: float, count: int) -> Patch:
    """Break the hairline up with single hairs that end on the skin."""
    rng = np.random.default_rng(face.seed + 4)
    mask = np.clip(shape.alpha * 255, 0, 255).astype(np.uint8)
    corner = np.array([shape.left, shape.top], np.float32)
    thick = max(1, round(1.3 * sheet.k))
    for _ in range(count):
        root = line[int(rng.integers(0, len(line)))]
        out = np.array([MID, 330], np.float32) - root
        out = out / max(float(np.linalg.norm(out)), 1) * float(rng.uniform(0.2, 1)) * reach
        back = root - out * 1.5
        tip = root + out * 0.55 + rng.normal(0, 3, 2)
        pixels = np.round((np.stack([back, root, tip]) * sheet.k - corner) * 16).astype(np.int32)
        cv2.polylines(mask, [pixels], False, int(rng.integers(120, 235)), thick, cv2.LINE_AA, 4)
    soft = np.maximum(mask.astype(np.float32) / 255, shape.alpha)
    return Patch(soft, shape.left, shape.top)


def stipple(sheet: Sheet, face: Face, shape: Patch, strength: float) -> None:
    """Cover a shape with very short hair: dark speckle the skin shows through."""
    rng = np.random.default_rng(face.seed + 5)
    noise = rng.normal(0, 1, shape.alpha.shape).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(0.5, 1.1 * sheet.k)).astype(np.float32)
    noise = noise / max(float(noise.std()), 1e-6)
    cover = shape.alpha * np.clip(strength + 0.12 * noise, 0, 1)
    tone = np.asarray(face.hair) * 0.9 + np.asarray(face.skin) * 0.06
    sheet.paint(Patch(cover.astype(np.float32), shape.left, shape.top), tone)


@lru_cache(maxsize=64)
def ringlets(seed: int, height: int, width: int, k: float, size: float, count: int) -> Floats:
    """Draw small arcs all over: (height, width) brightness about .4."""
    rng = np.random.default_rng(seed + 8)
    grain = np.full((height, width), 0.26, np.float32)
    thick = max(1, round(2.4 * k))
    for _ in range(count):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        radius = float(rng.uniform(0.4, 1)) * size * k
        axes = (max(1, int(radius)), max(1, int(radius * 0.75)))
        value = float(np.clip(rng.normal(0.42, 0.17), 0.1, 0.85))
        cv2.ellipse(grain, centre, axes, float(rng.uniform(0, 360)), 0, 200, value, thick, cv2.LINE_AA)
    grain = cv2.GaussianBlur(grain, (0, 0), max(0.4, 1.0 * k)).astype(np.float32)
    grain.setflags(write=False)
    return grain
