"""Clothes and glasses."""

from __future__ import annotations

import numpy as np

from demo.head import MID, Build
from demo.sheet import Patch, Reals, Sheet, curve, mirrored
from demo.traits import Face, Pose


def draw_clothes(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint shoulders and what they wear, over the neck."""
    broad = 372 - 52 * face.feminine
    top = b.chin_y + 64
    neck = b.half(b.chin_y - 70) * (0.80 - 0.11 * face.feminine) + 20
    dip = {"vneck": 120.0, "blazer": 150.0, "shirt": 64.0}.get(face.garment, 42.0)
    right = curve(
        [
            (MID + neck, top - 8),
            (MID + neck + 60, top + 18),
            (MID + broad * 0.72, top + 62),
            (MID + broad * 0.98, top + 128),
            (MID + broad * 1.10, top + 230),
            (MID + broad * 1.17, 1010),
        ]
    )
    collar = curve([(MID + neck, top - 8), (MID + neck * 0.72, top + dip * 0.62), (MID, top + dip)])
    if face.garment == "vneck":
        collar = np.array(
            [(MID + neck, top - 8), (MID + neck * 0.6, top + dip * 0.42), (MID, top + dip)], np.float32
        )
    shape_line = np.concatenate([collar[::-1], right, mirrored(right)[::-1], mirrored(collar)])
    shape = sheet.fill(shape_line, blur=0.8)
    if face.garment in ("blazer", "shirt"):
        _draw_shirt(sheet, face, top, neck)
    _cast(sheet, shape)
    if face.garment == "blazer":
        lapel = [(MID + neck + 8, top - 6), (MID + neck * 0.9, top + 90), (MID + 30, 1010)]
        body = np.concatenate([curve(lapel)[::-1], right])
        for line in (body, mirrored(body)):
            _cloth(sheet, face, sheet.fill(line, blur=0.8), np.asarray(face.cloth) * 0.8, pose, top, broad)
        for s in (-1, 1):
            flap = np.array(
                [
                    (neck + 10, top - 8),
                    (neck + 44, top + 86),
                    (neck + 16, top + 112),
                    (40, 1004),
                    (28, 1004),
                    (neck * 0.86, top + 84),
                ]
            )
            flap[:, 0] = MID + s * flap[:, 0]
            patch = sheet.fill(flap, blur=0.8)
            sheet.shade(sheet.soften(patch, 6), 0.6, 0.5)
            sheet.paint(patch, np.asarray(face.cloth) * 0.9)
        return
    if face.garment != "shirt":
        _cloth(sheet, face, shape, np.asarray(face.cloth), pose, top, broad)
        trim = collar + np.array([0, 4], np.float32)
        both = np.concatenate([trim, mirrored(trim)[::-1]])
        sheet.shade(sheet.stroke(both + np.array([0, 9], np.float32), 5, blur=3).within(shape), 0.62, 0.7)
        sheet.paint(sheet.stroke(both, 11, blur=0.8).within(shape), np.asarray(face.cloth) * 0.86)
    else:
        _cloth(sheet, face, shape, np.asarray(face.cloth), pose, top, broad)
        _draw_collar(sheet, np.asarray(face.cloth) * 0.98, top, neck)
    if face.garment == "hoodie":
        for s in (-1, 1):
            hood = curve(
                [
                    (MID + s * (neck - 6), top - 22),
                    (MID + s * (neck + 46), top - 2),
                    (MID + s * (neck + 40), top + 66),
                    (MID + s * 30, top + 96),
                    (MID + s * 12, top + 64),
                    (MID + s * neck * 0.7, top + 30),
                ],
                closed=True,
            )
            patch = sheet.fill(hood, blur=1)
            sheet.shade(sheet.soften(patch, 8), 0.55, 0.6)
            sheet.paint(patch, np.asarray(face.cloth) * 0.94)
            sheet.shade(sheet.stroke(curve(hood[10:34]), 7, blur=4).within(patch), 0.7, 0.7)
            cord = curve([(MID + s * 24, top + 88), (MID + s * 28, top + 140), (MID + s * 24, top + 190)])
            sheet.paint(sheet.stroke(cord, 6, blur=0.6), np.asarray(face.cloth) * 0.62, 0.9)


def _cast(sheet: Sheet, shape: Patch) -> None:
    """Let clothes shade the skin at their edge."""
    sheet.shade(sheet.soften(shape, 6), (0.6, 0.62, 0.68), 0.6)


def _cloth(
    sheet: Sheet, face: Face, shape: Patch, colour: Reals, pose: Pose, top: float, broad: float
) -> None:
    """Paint a garment's surface: light from above, soft folds."""
    rng = np.random.default_rng(face.seed + 7)
    sheet.paint(shape, colour * 0.9)
    for s in (-1, 1):
        bright = 0.16 + 0.09 * pose.light * s
        sheet.lift(
            sheet.glow(MID + s * broad * 0.6, top + 66, broad * 0.30, 34, s * 0.42).within(shape),
            colour * bright,
        )
        sheet.shade(sheet.glow(MID + s * broad * 1.05, top + 330, 70, 170).within(shape), 0.62, 0.8)
        arm = curve(
            [
                (MID + s * broad * 0.74, top + 190),
                (MID + s * broad * 0.78, 900),
                (MID + s * broad * 0.74, 1010),
            ]
        )
        sheet.shade(sheet.stroke(arm, 16, blur=9).within(shape), 0.62, 0.7)
        for _ in range(5):
            x = MID + s * float(rng.uniform(30, broad * 0.7))
            y = top + float(rng.uniform(110, 250))
            fold = curve(
                [(x, y), (x - s * rng.uniform(5, 30), y + 60), (x - s * rng.uniform(-20, 70), y + 130)]
            )
            width = (14 * np.sin(np.linspace(0, np.pi, len(fold)))).astype(np.float32)
            sheet.shade(sheet.stroke(fold, width, blur=8).within(shape), 0.78, 0.6)
            sheet.lift(sheet.stroke(fold + np.array([s * 12, 0]), width, blur=8).within(shape), colour * 0.07)
    sheet.shade(sheet.glow(MID, top + 90, 120, 50).within(shape), 0.84, 0.6)


def _draw_shirt(sheet: Sheet, face: Face, top: float, neck: float) -> None:
    """Paint the shirt that shows between lapels."""
    under = np.array([0.92, 0.92, 0.92]) if float(np.mean(face.cloth)) < 0.6 else np.asarray(face.cloth_under)
    front = np.array(
        [
            (neck + 14, top - 8),
            (neck * 0.5, top + 40),
            (0, top + 78),
            (-neck * 0.5, top + 40),
            (-neck - 14, top - 8),
            (-130, 1010),
            (130, 1010),
        ]
    )
    front[:, 0] += MID
    patch = sheet.fill(front, blur=0.8)
    sheet.paint(patch, under * 0.88)
    sheet.shade(sheet.glow(MID, top + 90, 60, 40).within(patch), 0.8, 0.6)
    if face.garment == "blazer":
        _draw_collar(sheet, under, top, neck)
        sheet.shade(sheet.stroke(curve([(MID, top + 90), (MID + 2, 1010)]), 3, blur=1), 0.7, 0.7)


def _draw_collar(sheet: Sheet, colour: Reals, top: float, neck: float) -> None:
    for s in (-1, 1):
        leaf = np.array(
            [
                (neck - 2, top - 26),
                (neck + 24, top + 4),
                (neck + 2, top + 80),
                (2, top + 74),
                (neck * 0.55, top + 26),
            ]
        )
        leaf[:, 0] = MID + s * leaf[:, 0]
        patch = sheet.fill(leaf, blur=1.0)
        sheet.shade(sheet.soften(patch, 7), 0.55, 0.6)
        sheet.paint(patch, colour)
        sheet.shade(sheet.glow(MID + s * neck, top - 8, 20, 20).within(patch), 0.8, 0.6)


def draw_glasses(sheet: Sheet, face: Face, b: Build) -> None:
    """Paint spectacles, if worn."""
    if not face.glasses:
        return
    dark = np.array([0.10, 0.09, 0.10]) if face.seed % 3 else np.array([0.16, 0.24, 0.40])
    rx, ry = face.eye_width * 1.38, face.eye_width * (1.12 if face.glasses == "round" else 0.98)
    power = 2.2 if face.glasses == "round" else 3.6
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    unit = np.stack(
        [
            np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power),
            np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power),
        ],
        1,
    )
    for s in (-1, 1):
        centre = np.array([MID + s * (face.eye_gap + 2), b.eye_y + 7])
        ring = centre + unit * (rx, ry)
        closed = np.concatenate([ring, ring[:2]])
        lens = sheet.fill(ring, blur=0.6)
        sheet.shade(sheet.stroke(closed + np.array([0, 6]), 5, blur=3.5), (0.6, 0.6, 0.68), 0.6)
        gleam = np.array([(rx * 0.1, -ry), (rx * 0.5, -ry), (-rx * 0.2, ry), (-rx * 0.6, ry)]) + centre
        sheet.lift(sheet.fill(gleam, blur=3).within(lens), 0.045)
        sheet.paint(sheet.stroke(closed, 5.2, blur=0.6), dark, 0.95)
        arm = np.array(
            [(centre[0] + s * rx * 0.98, centre[1] - ry * 0.4), (MID + s * (b.half(380) + 4), centre[1] - 10)]
        )
        sheet.paint(sheet.stroke(arm, 5.5, blur=0.6), dark * 0.9, 0.95)
    gap = face.eye_gap + 2 - rx
    bridge = curve([(MID - gap, b.eye_y + 2), (MID, b.eye_y - 4), (MID + gap, b.eye_y + 2)])
    sheet.paint(sheet.stroke(bridge, 5, blur=0.6), dark, 0.95)
