"""A headscarf."""

from __future__ import annotations

import numpy as np

from demo.head import MID, Build
from demo.sheet import Patch, Sheet, curve, mirrored
from demo.traits import Face, Pose


def draw_scarf(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint a scarf that leaves the face free, over head and shoulders."""
    cloth = np.asarray(face.cloth_under, np.float32)
    cloth = cloth * 0.8 + 0.10
    edge = b.half(400)
    right = curve(
        [
            (MID, 118),
            (MID + edge * 0.62, 140),
            (MID + edge + 22, 240),
            (MID + edge + 40, 380),
            (MID + edge + 30, 520),
            (MID + edge + 14, 620),
            (MID + edge + 60, 740),
            (MID + 250, 850),
            (MID + 150, 930),
            (MID, 950),
        ]
    )
    opening = curve(
        [
            (MID, 226),
            (MID + edge * 0.56, 248),
            (MID + edge * 0.86, 320),
            (MID + edge * 0.94, 410),
            (MID + b.half(500) * 0.96, 500),
            (MID + b.half(560) * 0.92, 566),
            (MID + 52, b.chin_y - 5),
            (MID, b.chin_y + 3),
        ]
    )
    hole = sheet.fill(np.concatenate([opening, mirrored(opening)[::-1]]), blur=0.8)
    shape = sheet.fill(np.concatenate([right, mirrored(right)[::-1]]), blur=1.2).without(hole)
    skin = sheet.soften(Patch(1 - hole.alpha, hole.left, hole.top), 9).within(hole)
    sheet.shade(skin, (0.45, 0.50, 0.60), 0.9)
    sheet.paint(shape, cloth * 0.82)
    for s in (-1, 1):
        for step in range(7):
            f = step / 6
            fold = curve(
                [
                    (MID + s * 20 * f, 226 - 96 * f),
                    (MID + s * (edge * (0.62 + 0.2 * f)), 255 - 60 * f),
                    (MID + s * (edge * (0.97 + 0.2 * f)), 400),
                    (MID + s * (edge * (0.85 + 0.26 * f)), 545),
                    (MID + s * (60 + 90 * f), b.chin_y + 20 + 50 * f),
                    (MID - s * (30 - 60 * f), b.chin_y + 60 + 110 * f),
                ]
            )
            n = len(fold)
            width = (11 * np.sin(np.linspace(0.2, np.pi, n))).astype(np.float32)
            sheet.shade(sheet.stroke(fold, width, blur=5).within(shape), 0.66, 0.62)
            sheet.lift(
                sheet.stroke(fold + np.array([s * 9, -3]), width * 0.7, blur=4).within(shape), cloth * 0.2
            )
    sheet.shade(sheet.glow(MID, b.chin_y + 20, 90, 26).within(shape), 0.5, 0.8)
    for s in (-1, 1):
        side = sheet.glow(MID + s * (edge + 40), 400, 34, 170).within(shape)
        sheet.shade(side, 0.55, 0.75 if pose.light * s < 0 else 0.45)
    sheet.lift(sheet.glow(MID + 70 * pose.light, 170, 90, 40).within(shape), cloth * 0.28)
