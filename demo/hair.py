"""Hairdos."""

from __future__ import annotations

import numpy as np

from demo.head import MID, Build, outline
from demo.scarf import draw_scarf
from demo.sheet import Floats, Patch, Sheet, curve, mirrored
from demo.strand import Guides, dye, frayed, ringlets, stipple, tress
from demo.traits import Face, Pose


def draw_behind(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint the hair that hangs behind neck and shoulders."""
    v = 26 * face.hair_volume
    side = b.half(380) + v
    if face.hairdo in ("long", "fringe", "wavy"):
        wave = 16 if face.hairdo == "wavy" else 0
        right = curve(
            [
                (MID, 150 - v),
                (MID + side * 0.72, 190 - v * 0.6),
                (MID + side * 1.02, 330),
                (MID + side * 1.10 + wave, 470),
                (MID + side * 1.14 - wave, 600),
                (MID + side * 1.22 + wave, 720),
                (MID + side * 1.02, 830),
                (MID + side * 0.5, 800),
            ]
        )
    elif face.hairdo == "bob":
        right = curve(
            [
                (MID, 150 - v),
                (MID + side * 0.78, 200 - v * 0.6),
                (MID + side * 1.08, 350),
                (MID + side * 1.16, 500),
                (MID + side * 1.04, b.chin_y + 2),
                (MID + side * 0.5, b.chin_y + 8),
            ]
        )
    elif face.hairdo == "bun":
        knot = curve(
            [
                (MID + 62 * np.cos(a), 118 - v * 0.5 + 50 * np.sin(a))
                for a in np.linspace(0, 2 * np.pi, 12)[:-1]
            ],
            closed=True,
        )
        arcs = [
            [(MID - 60 + 12 * i, 110), (MID - 20 + 4 * i, 78 + i), (MID + 58 - 3 * i, 120)] for i in range(10)
        ]
        tress(sheet, face, sheet.fill(knot, blur=1.5), [arcs], pose, 200, 0.85)
        return
    elif face.hairdo == "afro":
        _draw_curls(sheet, face, b, pose, behind=True)
        return
    elif face.hairdo == "hijab":
        lining = curve(
            [(MID, 200), (MID + 130, 300), (MID + 140, 500), (MID + 90, b.chin_y + 40), (MID, b.chin_y + 60)]
        )
        both = np.concatenate([lining, mirrored(lining)[::-1]])
        sheet.paint(sheet.fill(both), (np.asarray(face.cloth_under) * 0.8 + 0.10) * 0.4)
        return
    else:
        return
    shape = sheet.fill(np.concatenate([right, mirrored(right)[::-1]]), blur=2.0)
    falls = [
        [
            [
                (MID + s * u * side, 180),
                (MID + s * (u * side + 8), 450),
                (MID + s * (u * side * 1.1 + 6), 840),
            ]
            for u in (0.3, 0.7, 0.98, 1.1)
        ]
        for s in (-1, 1)
    ]
    tress(sheet, face, shape, falls, pose, 500, 0.62)


def draw_front(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint the hair over the head: hairline, fringe, locks beside the face; or a scarf."""
    if face.hairdo == "buzz":
        _draw_buzz(sheet, face, b)
    elif face.hairdo == "receding":
        _draw_receding(sheet, face, b, pose)
    elif face.hairdo == "hijab":
        draw_scarf(sheet, face, b, pose)
    elif face.hairdo in ("curls", "afro"):
        _draw_curls(sheet, face, b, pose, behind=False)
    elif face.hairdo in ("crop", "parted", "quiff"):
        _draw_short(sheet, face, b, pose)
    else:
        _draw_parted_long(sheet, face, b, pose)


def _shadow(sheet: Sheet, b: Build, shape: Patch, drop: float = 9) -> None:
    """Darken the skin just below a shape of hair."""
    lower = Patch(
        shape.alpha, shape.left, min(shape.top + int(drop * sheet.k), sheet.side - shape.alpha.shape[0])
    )
    skin = sheet.fill(outline(b))
    sheet.shade(sheet.soften(lower, 9).within(skin), (0.52, 0.57, 0.66), 0.75)


def _cap(face: Face, b: Build, rise: float, brow: float, low: float, inset: float) -> tuple[Floats, Floats]:
    """Give the outer silhouette (left low, over the crown, right low) and the hairline back."""
    v = rise * face.hair_volume
    outer_side = b.half(300) + 7
    half = [
        (MID + b.half(low) + 3, low),
        (MID + outer_side + 4, 322),
        (MID + outer_side - 8 + v * 0.25, 250),
        (MID + outer_side * 0.80 + v * 0.25, 194 - v * 0.35),
        (MID + outer_side * 0.45, 153 - v * 0.85),
        (MID, 139 - v * 1.1),
    ]
    right = curve(half)
    outer = np.concatenate([mirrored(right), right[::-1]])
    line = [
        (MID + b.half(low) - 15, low),
        (MID + b.half(330) - 22, 322),
        (MID + b.half(300) - 36, 276),
        (MID + b.half(270) - 50 + inset * 6, brow + 12),
        (MID + 62, brow - 4 + inset * 8),
        (MID, brow),
    ]
    edge = curve(line)
    hairline = np.concatenate([edge, mirrored(edge)[::-1]])
    return outer.astype(np.float32), hairline.astype(np.float32)


def _draw_short(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    rise = {"crop": 17.0, "parted": 25.0, "quiff": 36.0}[face.hairdo]
    brow = {"crop": 232.0, "parted": 228.0, "quiff": 224.0}[face.hairdo] - 8 * face.age
    outer, hairline = _cap(face, b, rise, brow, 402, face.part)
    shape = sheet.fill(np.concatenate([outer, hairline]), blur=2.4)
    shape = frayed(sheet, face, shape, hairline, reach=11, count=420)
    _shadow(sheet, b, shape)
    sign = 1 if face.part >= 0 else -1
    v = rise * face.hair_volume
    top = 136 - v
    families: list[Guides] = []
    if face.hairdo == "crop":
        families.append(
            [
                [
                    (MID + x + sign * 16, brow + 10),
                    (MID + x * 1.12, brow - 32),
                    (MID + x * 1.05 - sign * 8, top),
                ]
                for x in range(-150, 151, 50)
            ]
        )
    else:
        part_x, far, near = MID - sign * 70, sign * (b.half(300) + 4), -sign * (b.half(300) + 4)
        swell = 8 if face.hairdo == "parted" else 20
        families.append(
            [
                [
                    (part_x - sign * 8 * f, brow + 6 - (brow - top - 8) * f),
                    (MID + far * 0.05, brow - swell - (brow - swell - top) * f),
                    (MID + far * 0.62, brow - 8 - (brow - 40 - top) * f),
                    (MID + far * (0.98 + 0.03 * f), 300 - 60 * f),
                ]
                for f in (0.0, 0.25, 0.5, 0.75, 1.0)
            ]
        )
        families.append(
            [
                [
                    (part_x, brow + 4 - (brow - top - 8) * f),
                    (MID + near * 0.8, 222 - 22 * f),
                    (MID + near, 330 - 30 * f),
                ]
                for f in (0.0, 0.5, 1.0)
            ]
        )
    for s in (-1, 1):
        edge = MID + s * b.half(330)
        families.append(
            [[(edge - s * d, 235), (edge - s * (d - 8), 300), (edge - s * (d - 6), 400)] for d in (-6, 8, 24)]
        )
    tress(sheet, face, shape, families, pose, 480, 1.0)
    _fade_sides(sheet, b, shape)


def _fade_sides(sheet: Sheet, b: Build, shape: Patch) -> None:
    """Darken short hair above the ears, where it turns away from the light."""
    for s in (-1, 1):
        sheet.shade(sheet.glow(MID + s * (b.half(330) + 2), 340, 24, 70).within(shape), 0.6, 0.7)


def _draw_buzz(sheet: Sheet, face: Face, b: Build) -> None:
    outer, hairline = _cap(face, b, 3, 228 - 14 * face.age, 396, face.part)
    shape = sheet.fill(np.concatenate([outer, hairline]), blur=5)
    stipple(sheet, face, shape, 0.86)


def _draw_receding(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    for s in (-1, 1):
        edge = b.half(320)
        patch = [
            (MID + s * (b.half(402) - 12), 404),
            (MID + s * (edge - 20), 340),
            (MID + s * (edge - 30), 280),
            (MID + s * (edge - 52), 215),
            (MID + s * (edge - 40), 196),
            (MID + s * (edge - 4), 240),
            (MID + s * (edge + 12), 320),
            (MID + s * (b.half(402) + 6), 400),
        ]
        shape = sheet.fill(curve(patch, closed=True), blur=4)
        guides = [
            [(MID + s * (edge - d), 200), (MID + s * (edge - d + 18), 300), (MID + s * (edge - d + 12), 410)]
            for d in (60, 40, 18, -4)
        ]
        tress(sheet, face, shape, [guides], pose, 240, 0.95)
    thin = sheet.fill(
        curve([(MID - 90, 170), (MID, 150), (MID + 90, 170), (MID + 60, 196), (MID - 60, 196)], closed=True),
        blur=12,
    )
    stipple(sheet, face, thin, 0.22)
    sheet.lift(sheet.glow(MID + 50 * pose.light, 205, 45, 18), 0.07)


def _draw_parted_long(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint hair combed from a parting: loose beside the face, or drawn back into a bun or tail."""
    tied = face.hairdo in ("bun", "tied")
    part_x = MID + face.part * 60
    v = 26 * face.hair_volume * (0.6 if tied else 1)
    end = {"bob": b.chin_y - 8, "bun": 400.0, "tied": 400.0}.get(face.hairdo, 800.0)
    families: list[Guides] = []
    shapes: list[Floats] = []
    wave = 15 if face.hairdo == "wavy" else 0
    for s in (-1, 1):
        edge = b.half(380)
        outer = [
            (part_x, 143 - v),
            (MID + s * edge * 0.62, 164 - v),
            (MID + s * (edge + v * 0.6), 262),
            (MID + s * (edge + v), 370),
        ]
        if tied:
            inner = [
                (MID + s * (edge - 4), 400.0),
                (MID + s * (edge - 16), 330.0),
                (MID + s * (edge - 42), 268.0),
                (part_x + s * 40, 226.0),
                (part_x, 214.0),
            ]
            outer = [*outer[:3], (MID + s * (edge + 5), 345)]
        else:
            outer += [
                (MID + s * (edge + v + 10 + wave), 480),
                (MID + s * (edge + v + 14 - wave), end * 0.55 + 270),
            ]
            if face.hairdo == "bob":
                outer += [(MID + s * (edge + v - 6), end)]
                tail = [(MID + s * (edge - 22), end + 2), (MID + s * (edge - 16), 520)]
            else:
                outer += [(MID + s * (edge + v + 26 + wave), 700), (MID + s * (edge + v * 0.3), end + 20)]
                tail = [
                    (MID + s * (edge - 6 - wave), 735),
                    (MID + s * (edge - 18 + wave), 620),
                    (MID + s * (edge - 14), 540),
                ]
            inner = [
                *tail,
                (MID + s * (edge - 13), 450),
                (MID + s * (edge - 15), 360),
                (MID + s * (edge - 44), 285),
                (part_x + s * 52, 232),
                (part_x, 196),
            ]
        o, i = curve(outer), curve(inner)
        shapes.append(np.concatenate([o, i]))
        count = 12
        a_line = o[np.linspace(0, len(o) - 1, count).astype(int)]
        b_line = i[::-1][np.linspace(0, len(i) - 1, count).astype(int)]
        families.append([[tuple(p) for p in a_line * (1 - f) + b_line * f] for f in (0.0, 0.33, 0.66, 1.0)])
    masks = [sheet.fill(p, blur=1.8) for p in shapes]
    for mask in masks:
        _shadow(sheet, b, mask, drop=5)
    for mask, family in zip(masks, families, strict=True):
        tress(sheet, face, mask, [family], pose, 620, 0.98)
    parting = curve([(part_x, 143 - v), (part_x, 170), (part_x, 200)])
    sheet.shade(sheet.stroke(parting, np.linspace(2, 6, len(parting)).astype(np.float32), blur=2), 0.5, 0.6)
    if face.hairdo == "fringe":
        bangs = curve(
            [
                (MID - 148, 330),
                (MID - 128, 240),
                (MID - 70, 172),
                (MID, 150),
                (MID + 70, 172),
                (MID + 128, 240),
                (MID + 148, 330),
                (MID + 110, 332),
                (MID + 50, b.brow_y - 12),
                (MID, b.brow_y - 8),
                (MID - 50, b.brow_y - 12),
                (MID - 110, 332),
            ],
            closed=True,
        )
        mask = sheet.fill(bangs, blur=1.6)
        mask = frayed(sheet, face, mask, bangs[len(bangs) // 2 :], reach=14, count=160)
        _shadow(sheet, b, mask, drop=11)
        guides = [
            [(MID + x * 0.35, 150), (MID + x * 0.85, 220), (MID + x, b.brow_y - 4)]
            for x in (-140, -100, -50, 0, 50, 100, 140)
        ]
        tress(sheet, face, mask, [guides], pose, 620, 1.0)


def _draw_curls(sheet: Sheet, face: Face, b: Build, pose: Pose, *, behind: bool) -> None:
    """Paint tight curls: a cloud of small arcs, big for an afro."""
    rng = np.random.default_rng(face.seed + 6)
    big = face.hairdo == "afro"
    rise = (88 if big else 34) * face.hair_volume
    low = 520 if big else 372
    if behind:
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        radius = (b.half(330) + rise) * (1 + 0.025 * rng.normal(0, 1, 40))
        ring = [(MID + r * np.cos(a), 318 + r * 0.98 * np.sin(a)) for a, r in zip(turn, radius, strict=True)]
        shape = sheet.fill(curve(ring, closed=True), blur=3)
    else:
        outer, hairline = _cap(face, b, rise * (0.5 if big else 1), 226, min(low, 396), 0.5)
        bumps = hairline + rng.normal(0, 4.5, hairline.shape)
        puff = outer + (outer - (MID, 330)) * rng.uniform(0.0, 0.05, (len(outer), 1))
        shape = sheet.fill(np.concatenate([puff[::3], bumps[::3]]), blur=3)
        _shadow(sheet, b, shape)
    height, width = shape.alpha.shape
    grain = ringlets(face.seed, height, width, sheet.k, 11.0 if big else 13.0, 2600 if behind else 1500)
    dye(sheet, face, shape, grain, pose, 0.8 if behind else 0.95)
