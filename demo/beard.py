"""Beards, moustaches and stubble."""

from __future__ import annotations

import numpy as np

from demo.head import MID, Build, outline
from demo.sheet import Patch, Sheet, curve, mirrored
from demo.strand import Guides, stipple, tress
from demo.traits import Face, Pose


def draw_beard(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint stubble, beard and moustache."""
    head = sheet.fill(outline(b))
    if face.beard > 0.02:
        w = face.mouth_width
        right = curve(
            [
                (MID + b.half(410) + 4, 405),
                (MID + b.half(480) - 8, 470),
                (MID + b.half(b.mouth_y) * 0.74, b.mouth_y - 24),
                (MID + w + 18, b.mouth_y - 18),
                (MID + w + 13, b.mouth_y + 8),
                (MID + w * 0.62, b.mouth_y + 27),
                (MID, b.mouth_y + 33),
            ]
        )
        low = curve(
            [
                (MID, b.chin_y + 16 * face.beard),
                (MID + 56, b.chin_y - 2 + 13 * face.beard),
                (MID + b.half(560) + 4 * face.beard, 565),
                (MID + b.half(480) + 5 * face.beard, 480),
                (MID + b.half(410) + 5, 405),
            ]
        )
        loop = np.concatenate([right, low])
        full = np.concatenate([loop, mirrored(loop)[::-1]])
        if face.beard < 0.3:
            stipple(sheet, face, sheet.fill(full, blur=13).within(head), 0.12 + 0.8 * face.beard)
        else:
            shape = sheet.fill(full, blur=6)
            thin = Patch(shape.alpha * min(1.0, 0.62 + 0.36 * face.beard), shape.left, shape.top)
            families: list[Guides] = []
            for s in (-1, 1):
                families.append(
                    [
                        [
                            (MID + s * (b.half(430) - d), 420),
                            (MID + s * (b.half(520) - d), 520),
                            (MID + s * (70 - d * 0.4), b.chin_y + 16),
                        ]
                        for d in (-4, 14, 34, 60)
                    ]
                )
                families.append(
                    [
                        [
                            (MID + s * d, b.mouth_y + 26),
                            (MID + s * d, b.chin_y - 20),
                            (MID + s * d * 0.9, b.chin_y + 22),
                        ]
                        for d in (0, 30, 62)
                    ]
                )
            tress(sheet, face, thin, families, pose, 300, 0.82)
    if face.moustache > 0.05:
        w = face.mouth_width
        half = curve(
            [
                (MID, b.nose_y + 17),
                (MID + w * 0.5, b.nose_y + 16),
                (MID + w * 0.98, b.mouth_y - 16),
                (MID + w * 1.14, b.mouth_y - 1),
                (MID + w * 0.90, b.mouth_y - 7),
                (MID + w * 0.4, b.mouth_y - 8),
                (MID, b.mouth_y - 7),
            ]
        )
        shape = sheet.fill(np.concatenate([half, mirrored(half)[::-1]]), blur=2.6)
        thin = Patch(shape.alpha * (0.45 + 0.5 * face.moustache), shape.left, shape.top)
        families = [
            [
                [
                    (MID + s * 4, b.nose_y + 17 + d),
                    (MID + s * w * 0.6, b.nose_y + 20 + d),
                    (MID + s * w * 1.1, b.mouth_y + d),
                ]
                for d in (0, 6, 14)
            ]
            for s in (-1, 1)
        ]
        tress(sheet, face, thin, families, pose, 150, 0.8)
