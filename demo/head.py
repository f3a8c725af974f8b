"""Skull, jaw, ears and neck: the lit skin on which features are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demo.sheet import Floats, Patch, Sheet, curve, mirrored
from demo.traits import Bgr, Face, Pose

MID = 500.0
# Half-widths of an average head by height, crown to chin, before a face's own proportions.
_ROWS = (150, 158, 178, 212, 260, 320, 380, 430, 475, 515, 550, 580, 602, 613)
_HALVES = (0, 62, 100, 132, 154, 165, 168, 165, 156, 142, 120, 91, 55, 0)


@dataclass(frozen=True, slots=True)
class Build:
    """Where a face's landmarks lie, in sheet units; `half` gives the head's half-width at each height."""

    eye_y: float
    brow_y: float
    nose_y: float
    mouth_y: float
    chin_y: float
    rows: Floats
    halves: Floats

    def half(self, y: float) -> float:
        """Half-width of the head at height `y`."""
        return float(np.interp(y, self.rows, self.halves, left=0, right=0))


def build(face: Face) -> Build:
    """Place a face's landmarks and outline."""
    rows = np.array(_ROWS, np.float32)
    halves = np.array(_HALVES, np.float32) * face.head_width
    jaw = np.clip((rows - 440) / 90, 0, 1)
    chin = np.clip((rows - 545) / 50, 0, 1)
    cheek = np.exp(-0.5 * ((rows - 430) / 45) ** 2)
    halves = halves * (1 + (face.jaw - 1) * jaw) * (1 + (face.chin - 1) * 0.6 * chin)
    halves = halves * (1 + (face.cheek - 1) * cheek)
    rows = np.where(rows > 330, 330 + (rows - 330) * face.head_length, rows)
    eye_y = face.eye_y
    chin_y = float(rows[-1])
    nose_y = eye_y + (chin_y - eye_y) * 0.415 + face.nose_length
    outline = curve(np.stack([rows, halves], 1), steps=14)
    ordered = np.maximum.accumulate(outline[:, 0])
    return Build(
        eye_y=eye_y,
        brow_y=eye_y - face.brow_y,
        nose_y=nose_y,
        mouth_y=nose_y + (chin_y - nose_y) * 0.35 + face.mouth_y,
        chin_y=chin_y,
        rows=ordered.astype(np.float32),
        halves=np.maximum(outline[:, 1], 0).astype(np.float32),
    )


def outline(b: Build) -> Floats:
    """Give the closed outline of the bare head (n, 2)."""
    right = np.stack([MID + b.halves, b.rows], 1)
    return np.concatenate([right, mirrored(right)[::-1]]).astype(np.float32)


def relief(sheet: Sheet, face: Face, b: Build) -> Floats:
    """Give the head's height towards the viewer (side, side) in units; 0 off the head."""
    y = (np.arange(sheet.side, dtype=np.float32) + 0.5) / sheet.k
    x = np.abs(y - MID)
    width = np.interp(y, b.rows, b.halves, left=0, right=0).astype(np.float32)[:, None]
    share = np.clip(x[None, :] / np.maximum(width, 1e-3), 0, 1) ** 2.25
    depth = 150 * (width / width.max()) ** 0.75
    field: Floats = (depth * (1 - share) ** (1 / 2.25)).astype(np.float32)
    field = cv2.GaussianBlur(field, (0, 0), 5 * sheet.k).astype(np.float32)

    def knead(x: float, y: float, sx: float, sy: float, amount: float, angle: float = 0.0) -> None:
        sheet.raise_field(field, sheet.glow(x, y, sx, sy, angle), amount)

    nose_w, age = face.nose_width, face.age
    masculine = 1 - face.feminine
    for side in (-1, 1):
        eye_x = MID + side * face.eye_gap
        knead(eye_x - side * 10, b.eye_y - 8, 38, 24, -25 - 5 * masculine)
        knead(eye_x, b.eye_y + 1, 27, 15, 11)
        knead(MID + side * 58, b.brow_y - 6, 42, 15, 5 + 8 * masculine, side * 0.1)
        knead(MID + side * 104, b.eye_y + 62, 36, 30, 10, -side * 0.5)
        knead(MID + side * 62, b.mouth_y + 2, 16, 26, -3 - 4 * age, side * 0.3)
        knead(MID + side * nose_w * 0.74, b.nose_y - 7, nose_w * 0.27, 13, 17)
        knead(MID + side * 20, b.chin_y - 28, 22, 16, 4 * masculine)
        knead(MID + side * 66, b.nose_y + 10, 9, 34, -4 - 5 * age, -side * 0.5)
    for step in np.linspace(0, 1, 9):
        along = b.eye_y - 12 + (b.nose_y - 14 - b.eye_y) * float(step)
        width_here = 11 + (nose_w * 0.42 - 11) * float(step) ** 2
        knead(MID, along, width_here, 14, face.nose_bridge * (4.5 + 7.5 * float(step)))
    knead(MID, b.nose_y - 10, nose_w * 0.44, 15, 17)
    knead(MID, b.nose_y + 16, 7, 9, -4)
    knead(MID, b.mouth_y - 8, face.mouth_width * 0.55, 12, 7 * face.lip_full)
    knead(MID, b.mouth_y + 15, face.mouth_width * 0.5, 11, 8 * face.lip_full)
    knead(MID, b.mouth_y + 38, 38, 9, -8)
    knead(MID, b.chin_y - 32, 30, 20, 9)
    return field


def lit(skin: Bgr, field: Floats, pose: Pose, k: float) -> Floats:
    """Light a height field (side, side): give skin colours (side, side, 3) 0..1.

    Wrapped diffuse light from above, redder where it fades (light that went through skin), and a soft
    sheen: numbers chosen by eye.
    """
    gx = cv2.Sobel(field, cv2.CV_32F, 1, 0, ksize=3, scale=k / 8)
    gy = cv2.Sobel(field, cv2.CV_32F, 0, 1, ksize=3, scale=k / 8)
    norm = 1 / np.sqrt(gx * gx + gy * gy + 1)
    key = np.array([0.62 * pose.light, -0.5, 0.85], np.float32)
    key /= np.linalg.norm(key)
    facing = (-gx * key[0] - gy * key[1] + key[2]) * norm
    wrapped = np.clip((facing + 0.35) / 1.35, 0, 1)
    sky = 0.5 - 0.5 * (gy * norm)
    base = np.asarray(skin, np.float32)
    fade = np.array([1.34, 1.14, 0.90], np.float32)
    light = 0.66 * wrapped[..., None] ** fade + 0.25 + 0.19 * sky[..., None]
    half_way = key + np.array([0, 0, 1], np.float32)
    half_way /= np.linalg.norm(half_way)
    gleam = np.clip((-gx * half_way[0] - gy * half_way[1] + half_way[2]) * norm, 0, 1) ** 22
    gloss = 0.055 + 0.05 * (1 - float(base.mean()))
    colours: Floats = np.clip(base * light * 0.985 + gloss * gleam[..., None], 0, 1).astype(np.float32)
    return colours


def draw_neck(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint neck and upper chest; clothes go over it."""
    wide = b.half(b.chin_y - 70) * (0.78 - 0.11 * face.feminine)
    side = curve(
        [
            (MID + wide * 1.0, b.chin_y - 110),
            (MID + wide * 0.98, b.chin_y + 10),
            (MID + wide * 1.04, b.chin_y + 55),
            (MID + wide * 1.3, b.chin_y + 84),
            (MID + wide * 1.3, b.chin_y + 110),
            (MID + wide * 1.3, 1000),
        ]
    )
    shape = sheet.fill(np.concatenate([side, mirrored(side)[::-1]]), blur=0.6)
    sheet.paint(shape, np.asarray(face.skin) * 0.86)
    warm = np.array([0.60, 0.66, 0.76])
    for s in (-1, 1):
        edge = sheet.glow(MID + s * wide * 1.0, b.chin_y + 20, wide * 0.30, 70)
        sheet.shade(edge, warm, 0.55 + 0.3 * (pose.light * s < 0))
        tendon = curve([(MID + s * wide * 0.7, b.chin_y + 20), (MID + s * 26, b.chin_y + 84)])
        sheet.lift(sheet.stroke(tendon, 12, blur=7), 0.025)
    shadow = sheet.fill(outline(b) + np.array([-10 * pose.light, 34], np.float32), blur=17)
    sheet.shade(shadow, (0.42, 0.47, 0.57), 0.95)
    for s in (-1, 1):
        bone = curve(
            [(MID + s * 24, b.chin_y + 94), (MID + s * 90, b.chin_y + 90), (MID + s * 190, b.chin_y + 104)]
        )
        sheet.shade(sheet.stroke(bone, 10, blur=7), warm, 0.45)
    sheet.shade(sheet.glow(MID, b.chin_y + 94, 16, 12), warm, 0.5)


def draw_ears(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint both ears, behind the head."""
    top, low = b.eye_y - 12, b.nose_y + 8
    for side in (-1, 1):
        edge = b.half((top + low) / 2) - 6
        tall = low - top
        rim = [(0, 0.1), (13, -0.06), (26, 0.05), (28, 0.32), (20, 0.62), (15, 0.86), (6, 1.02), (-2, 0.95)]
        ear = curve([(MID + side * (edge + dx), top + t * tall) for dx, t in rim], closed=True)
        bright = 0.92 + 0.1 * pose.light * side
        patch = sheet.fill(ear, blur=0.6)
        sheet.paint(patch, np.asarray(face.skin) * (0.80, 0.85, 0.95) * bright)
        inner = curve([(MID + side * (edge + dx), top + t * tall) for dx, t in rim[1:6]])
        sheet.lift(sheet.stroke(inner + np.array([-side * 3, 4]), 4, blur=2).within(patch), 0.06)
        hollow = sheet.glow(MID + side * (edge + 11), top + tall * 0.45, 7, tall * 0.22)
        sheet.shade(hollow.within(patch), (0.5, 0.55, 0.66), 0.8)


def draw_head(sheet: Sheet, face: Face, b: Build, pose: Pose, field: Floats) -> None:
    """Paint the lit head and its complexion."""
    mask = sheet.fill(outline(b), blur=0.7)
    x1, y1 = mask.left, mask.top
    y2, x2 = y1 + mask.alpha.shape[0], x1 + mask.alpha.shape[1]
    part = np.ascontiguousarray(field[y1:y2, x1:x2])
    sheet.paint(mask, lit(face.skin, part, pose, sheet.k))
    flush = 0.55 + 0.45 * face.feminine
    dark = float(np.mean(face.skin)) < 0.5

    def tint(
        x: float, y: float, sx: float, sy: float, factor: tuple[float, float, float], share: float
    ) -> None:
        sheet.shade(sheet.glow(x, y, sx, sy).within(mask), factor, share)

    for side in (-1, 1):
        tint(
            MID + side * 100,
            b.nose_y - 18,
            34,
            26,
            (0.84, 0.84, 1.0) if not dark else (0.9, 0.9, 1.02),
            flush * 0.8,
        )
        tint(MID + side * face.eye_gap, b.eye_y - 6, 38, 24, (0.78, 0.76, 0.84), 0.62)
        tint(MID + side * (face.eye_gap - 34), b.eye_y - 6, 15, 24, (0.66, 0.68, 0.76), 0.55)
        tint(MID + side * face.eye_gap, b.eye_y + 23, 27, 8, (0.86, 0.82, 0.86), 0.35 + 0.5 * face.age)
    tint(MID, b.nose_y - 10, face.nose_width * 0.8, 16, (0.86, 0.86, 1.0), 0.6)
    tint(MID, b.nose_y + 14, face.nose_width * 0.7, 8, (0.62, 0.64, 0.72), 0.6)
    tint(MID, b.mouth_y + 33 + 5 * face.lip_full, 34, 7, (0.72, 0.74, 0.8), 0.55)
    tint(MID, b.brow_y - 70, 110, 55, (0.97, 1.01, 1.02), 0.6)
    _mottle(sheet, face, b, mask)
    _lines(sheet, face, b, mask)


def _mottle(sheet: Sheet, face: Face, b: Build, mask: Patch) -> None:
    """Give skin its unevenness, and freckles."""
    rng = np.random.default_rng(face.seed + 1)
    height, width = mask.alpha.shape
    for grain, strength in ((34, 0.015), (110, 0.011)):
        coarse = rng.normal(0, strength, (grain, grain)).astype(np.float32)
        cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        sheet.lift(Patch(mask.alpha * cloud, mask.left, mask.top), np.asarray(face.skin) * (0.9, 1.0, 1.1))
    for _ in range(int(170 * face.freckles)):
        x = MID + float(rng.normal(0, 70))
        y = b.nose_y - 36 + float(rng.normal(0, 26))
        size = float(rng.uniform(1.3, 2.7))
        sheet.shade(sheet.glow(x, y, size, size).within(mask), (0.62, 0.72, 0.86), 0.65)


def _lines(sheet: Sheet, face: Face, b: Build, mask: Patch) -> None:
    """Draw the folds that come with age; faint ones for the young."""
    age = face.age
    brown = (0.62, 0.66, 0.76)
    for side in (-1, 1):
        wing = MID + side * (face.nose_width + 4)
        fold = curve(
            [
                (wing, b.nose_y - 12),
                (wing + side * 16, b.nose_y + 14),
                (MID + side * (face.mouth_width + 14), b.mouth_y - 6),
            ]
        )
        width = np.interp(np.arange(len(fold)), [0, len(fold) / 2, len(fold)], [3, 7, 0]).astype(np.float32)
        sheet.shade(sheet.stroke(fold, width, blur=4).within(mask), brown, 0.25 + 0.75 * age)
        if age > 0.4:
            for offset in (-7, 3, 12):
                x = MID + side * (face.eye_gap + face.eye_width + 8)
                crow = [(x, b.eye_y + offset * 0.6), (x + side * 17, b.eye_y + offset * 1.6)]
                sheet.shade(sheet.stroke(curve(crow), 2.2, blur=1.3), brown, (age - 0.4) * 1.2)
    if age > 0.35:
        for i, offset in enumerate((44, 66, 88)):
            y = b.brow_y - offset
            line = curve(
                [(MID - 80 + 9 * i, y + 5), (MID - 30, y - 2), (MID + 25, y - 1), (MID + 84 - 9 * i, y + 6)]
            )
            taper = np.sin(np.linspace(0, np.pi, len(line))).astype(np.float32)
            sheet.shade(sheet.stroke(line, 4 * taper, blur=2.2).within(mask), brown, (age - 0.3) * 0.85)
