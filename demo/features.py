"""Eyes, brows, nose and mouth."""

from __future__ import annotations

import numpy as np

from demo.head import MID, Build
from demo.sheet import Floats, Patch, Sheet, curve
from demo.traits import Face, Pose


def draw_eyes(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint both eyes: ball, iris, lids and lashes."""
    for side in (-1, 1):
        _draw_eye(sheet, face, MID + side * face.eye_gap, b.eye_y, side, pose)


def _lids(face: Face, x: float, y: float, side: int, openness: float) -> tuple[Floats, Floats]:
    """Give upper and lower lid lines, inner corner first, each (n, 2)."""
    w = face.eye_width
    h = w * face.eye_open
    lift = face.eye_tilt * w
    inner, outer = (x - side * w * 0.98, y + 3.5 + lift), (x + side * w, y - lift)
    low = [
        inner,
        (x - side * w * 0.45, y + h * 0.55 + lift * 0.5),
        (x + side * w * 0.25, y + h * 0.78),
        (x + side * w * 0.74, y + h * 0.46 - lift * 0.6),
        outer,
    ]
    high = [
        inner,
        (x - side * w * 0.58, y - h * 0.55 + lift * 0.5),
        (x - side * w * 0.02, y - h * 1.05),
        (x + side * w * 0.58, y - h * 0.72 - lift * 0.6),
        outer,
    ]
    upper, lower = curve(high), curve(low)
    closed = 0.18 * upper + 0.82 * lower
    upper = (closed + (upper - closed) * openness).astype(np.float32)
    return upper, lower


def _draw_eye(sheet: Sheet, face: Face, x: float, y: float, side: int, pose: Pose) -> None:
    w = face.eye_width
    h = w * face.eye_open
    openness = float(np.clip(1 - pose.blink, 0, 1))
    upper, lower = _lids(face, x, y, side, openness)
    wide_open, _ = _lids(face, x, y, side, 1.0)
    skin = np.asarray(face.skin)
    taper = np.sin(np.linspace(0.25, np.pi, len(upper))).astype(np.float32)

    crease = wide_open + np.array([side * 1.5, -5.0 - 4.5 * face.lid_crease], np.float32)
    lid = np.concatenate([crease, lower[::-1]])
    sheet.paint(sheet.fill(lid, blur=3.2), skin * (0.74, 0.76, 0.84), 0.55)
    sheet.shade(sheet.stroke(crease, 3.4 * taper, blur=1.1), (0.46, 0.50, 0.60), 0.35 + 0.5 * face.lid_crease)
    if face.feminine > 0.5:
        sheet.shade(sheet.fill(np.concatenate([crease, upper[::-1]]), blur=2.5), (0.72, 0.68, 0.76), 0.5)

    if openness > 0.12:
        opening = sheet.fill(np.concatenate([upper, lower[::-1]]), blur=0.5)
        white = np.array([0.84, 0.86, 0.89]) * (0.97 if float(skin.mean()) > 0.5 else 0.93)
        sheet.paint(opening, white)
        sheet.paint(
            sheet.glow(x - side * w * 0.92, y + 3, 5, 5).within(opening), skin * (0.72, 0.7, 0.95), 0.8
        )
        _draw_iris(sheet, face, x, y - h * 0.12, opening)
        shadow = upper + np.array([0, 3.6], np.float32)
        sheet.shade(sheet.stroke(shadow, 9.0, blur=2.4).within(opening), (0.36, 0.36, 0.38), 0.75)
        for corner in (-1, 1):
            rim = sheet.glow(x + corner * w, y, 9, 14).within(opening)
            sheet.shade(rim, (0.62, 0.62, 0.70), 0.7)
    sheet.lift(sheet.stroke(lower + np.array([0, 2.4], np.float32), 2.2 * taper, blur=0.8), 0.05)
    sheet.shade(sheet.stroke(lower, 2.3 * taper, blur=0.7), (0.42, 0.42, 0.50), 0.75)
    below = lower + np.array([0, 9.0], np.float32)
    sheet.shade(sheet.stroke(below, 3.5 * taper, blur=2.0), (0.70, 0.70, 0.78), 0.25 + 0.5 * face.age)

    lash = np.array([0.07, 0.06, 0.07])
    weight = (3.6 + 2.4 * face.feminine) * np.linspace(0.45, 1.15, len(upper)).astype(np.float32)
    weight *= np.minimum(1, np.linspace(3, 0.4, len(upper))).astype(np.float32)
    sheet.paint(sheet.stroke(upper - np.array([0, 0.8], np.float32), weight, blur=0.5), lash, 0.92)
    _draw_lashes(sheet, face, upper, side, openness)


def _draw_iris(sheet: Sheet, face: Face, x: float, y: float, opening: Patch) -> None:
    r = face.eye_width * 0.415
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], 1)
    iris = np.asarray(face.iris)
    at = np.array([x, y])
    sheet.paint(sheet.fill(at + ring * r, blur=0.8).within(opening), iris * 0.42)
    sheet.paint(sheet.fill(at + ring * r * 0.84, blur=1.3).within(opening), iris)
    sheet.lift(sheet.glow(x, y + r * 0.45, r * 0.5, r * 0.32).within(opening), iris * 0.7)
    sheet.paint(sheet.fill(at + ring * r * 0.43, blur=0.6).within(opening), (0.03, 0.03, 0.035))
    spot = np.array([x + r * 0.32, y - r * 0.36])
    sheet.paint(sheet.fill(spot + ring * r * 0.2, blur=0.5).within(opening), (1.0, 1.0, 1.0), 0.92)
    soft = np.array([x - r * 0.38, y + r * 0.42])
    sheet.paint(sheet.fill(soft + ring * r * 0.12, blur=0.9).within(opening), (1.0, 1.0, 1.0), 0.35)


def _draw_lashes(sheet: Sheet, face: Face, upper: Floats, side: int, openness: float) -> None:
    if face.feminine < 0.5:
        return
    for share in np.linspace(0.35, 0.99, 13):
        root = upper[int(share * (len(upper) - 1))]
        reach = 4.5 + 6.5 * float(share)
        up = 1.0 if openness > 0.4 else -0.7
        tip = root + np.array([side * reach * (0.15 + 0.85 * share**2), -reach * up * (1.05 - 0.5 * share)])
        middle = (root + tip) / 2 + np.array([side * 1.6, 0.8 * up])
        hair = curve([tuple(root), tuple(middle), tuple(tip)], steps=4)
        width = np.linspace(2.0, 0.3, len(hair)).astype(np.float32)
        sheet.paint(sheet.stroke(hair, width), (0.06, 0.05, 0.06), 0.8)


def draw_brows(sheet: Sheet, face: Face, b: Build) -> None:
    """Paint brows hair by hair."""
    rng = np.random.default_rng(face.seed + 2)
    colour = np.asarray(face.hair) * 0.72 + np.array([0.02, 0.02, 0.03])
    if float(np.mean(face.hair)) > 0.4:
        colour = colour * 0.66
    for side in (-1, 1):
        x, w = MID + side * face.eye_gap, face.eye_width
        rise = face.brow_arch * 11
        spine = curve(
            [
                (x - side * w * 1.02, b.brow_y + 3 + 40 * face.brow_tilt),
                (x - side * w * 0.4, b.brow_y - 1 - rise * 0.3),
                (x + side * w * 0.45, b.brow_y - 3 - rise),
                (x + side * w * 1.02, b.brow_y - 1 - rise * 0.5 - 30 * face.brow_tilt),
                (x + side * w * 1.42, b.brow_y + 11 - 40 * face.brow_tilt),
            ],
            steps=14,
        )
        n = len(spine)
        t = np.linspace(0, 1, n)
        body = face.brow_thick * np.interp(t, [0, 0.14, 0.5, 0.8, 1], [0.62, 1.02, 0.98, 0.6, 0.12])
        sheet.paint(sheet.stroke(spine, (body * 1.05).astype(np.float32), blur=2.4), colour, 0.62)
        at = rng.integers(0, n - 1, 130)
        share, thickness = at / n, body[at]
        across = rng.uniform(-0.5, 0.5, 130) * thickness
        root = spine[at] + np.stack([np.zeros(130), across + 0.12 * thickness], 1)
        angle = np.interp(share, [0, 0.2, 0.5, 1], [1.35, 0.8, 0.32, -0.35])
        reach = rng.uniform(8, 15, 130) * (1 - 0.35 * share)
        sweep = np.stack([side * np.cos(angle) * reach, -np.sin(angle) * reach * 0.75 - across * 0.35], 1)
        for shade, chosen in ((0.62, slice(0, 65)), (1.1, slice(65, 130))):
            hairs = np.stack([root, root + sweep * 0.5 + (0, -0.8), root + sweep], 1)[chosen]
            sheet.paint(sheet.hairs(hairs, 1.5), colour * shade, 0.6)


def draw_nose(sheet: Sheet, face: Face, b: Build) -> None:
    """Paint what relief alone doesn't give: nostrils, wings and the tip's shine."""
    w, y = face.nose_width, b.nose_y
    deep = np.asarray(face.skin) * (0.24, 0.27, 0.38)
    for side in (-1, 1):
        hole = curve(
            [
                (MID + side * w * 0.16, y + 4),
                (MID + side * w * 0.36, y - 1.5),
                (MID + side * w * 0.62, y + 1),
                (MID + side * w * 0.50, y + 5.5),
            ],
            closed=True,
        )
        sheet.paint(sheet.fill(hole, blur=1.7), deep, 0.85)
        wing = curve(
            [
                (MID + side * w * 0.80, y - 25),
                (MID + side * w * 1.03, y - 12),
                (MID + side * w * 0.98, y + 1),
                (MID + side * w * 0.74, y + 5),
            ]
        )
        width = (4.2 * np.sin(np.linspace(0.1, np.pi - 0.2, len(wing)))).astype(np.float32)
        sheet.shade(sheet.stroke(wing, width, blur=1.6), (0.50, 0.54, 0.64), 0.72)
        edge = curve(
            [(MID + side * 13, b.eye_y + 2), (MID + side * 15, y - 52), (MID + side * w * 0.52, y - 24)]
        )
        sheet.shade(sheet.stroke(edge, 11, blur=6), (0.76, 0.79, 0.86), 0.5)
    base = curve([(MID - w * 0.2, y + 4), (MID, y + 8.5), (MID + w * 0.2, y + 4)])
    sheet.shade(sheet.stroke(base, 3.4, blur=1.8), (0.52, 0.55, 0.65), 0.7)
    sheet.lift(sheet.glow(MID + 3, y - 14, 8, 7), 0.07)
    ridge = curve([(MID + 1, b.eye_y + 8), (MID + 2, y - 30)])
    sheet.lift(sheet.stroke(ridge, 9, blur=5), 0.05)


def draw_mouth(sheet: Sheet, face: Face, b: Build, pose: Pose) -> None:
    """Paint lips, and teeth when the mouth opens."""
    w, y = face.mouth_width, b.mouth_y
    full = face.lip_full
    gape = 17 * pose.mouth
    w = w * (1 - 0.07 * pose.mouth)
    corner = y - 8.0 * face.smile
    top = [
        (MID - w, corner),
        (MID - w * 0.5, y - 7.2 * full - 1.5 * face.smile),
        (MID - w * 0.2, y - 12.4 * full),
        (MID, y - 9.8 * full),
        (MID + w * 0.2, y - 12.4 * full),
        (MID + w * 0.5, y - 7.2 * full - 1.5 * face.smile),
        (MID + w, corner),
    ]
    part = [
        (MID - w, corner),
        (MID - w * 0.55, y - 0.6 * face.smile),
        (MID - w * 0.2, y - 0.2),
        (MID, y + 2.6),
        (MID + w * 0.2, y - 0.2),
        (MID + w * 0.55, y - 0.6 * face.smile),
        (MID + w, corner),
    ]
    upper, seam = curve(top), curve(part)
    bulge = np.sin(np.linspace(0, np.pi, len(seam))).astype(np.float32)[:, None]
    seam_low = seam + bulge * np.array([0, gape], np.float32)
    drop = np.sin(np.linspace(0, np.pi, len(seam))) ** 0.72
    low = seam + np.stack([np.zeros(len(seam)), drop * (17.5 * full + gape)], 1).astype(np.float32)
    lips = np.asarray(face.lips)
    upper_patch = sheet.fill(np.concatenate([upper, seam[::-1]]), blur=1.5)
    lower_patch = sheet.fill(np.concatenate([seam_low, low[::-1]]), blur=1.7)
    if gape > 0.5:
        inside = sheet.fill(np.concatenate([seam, seam_low[::-1]]), blur=0.8)
        sheet.paint(inside, (0.10, 0.08, 0.20))
        teeth = seam + bulge * np.array([0, min(gape * 0.62, 9)], np.float32)
        row = sheet.fill(np.concatenate([seam, teeth[::-1]]), blur=0.9).within(inside)
        sheet.paint(row, (0.82, 0.86, 0.88), 0.92)
        sheet.paint(sheet.glow(MID, y + gape, w * 0.4, 4).within(inside), (0.35, 0.33, 0.62), 0.6)
    sheet.paint(upper_patch, lips * 0.84, 0.82)
    sheet.paint(lower_patch, lips, 0.76)
    sheet.shade(
        sheet.glow(MID, y + 17 * full + gape, w * 0.6, 3.5).within(lower_patch), (0.74, 0.72, 0.80), 0.7
    )
    shine = sheet.glow(MID + 4, y + 8.5 * full + gape, w * 0.30, 3.4 * full).within(lower_patch)
    sheet.lift(shine, 0.09 + 0.06 * face.feminine)
    taper = (4.0 * np.sin(np.linspace(0.15, np.pi - 0.15, len(seam)))).astype(np.float32)
    sheet.paint(sheet.stroke(seam, taper, blur=0.8), lips * (0.34, 0.30, 0.42), 0.8)
    for side in (-1, 1):
        sheet.shade(sheet.glow(MID + side * (w + 1), corner, 5.5, 5), (0.44, 0.46, 0.58), 0.75)
    sheet.lift(sheet.stroke(upper - np.array([0, 2], np.float32), 2.4, blur=1.4), 0.035)
