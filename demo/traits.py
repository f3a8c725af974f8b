"""What makes one drawn face differ from another, and what moves in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

Bgr = tuple[float, float, float]

SKINS_RGB = (
    (252, 222, 202),
    (246, 210, 184),
    (238, 196, 162),
    (228, 180, 142),
    (212, 160, 120),
    (190, 136, 98),
    (164, 112, 78),
    (138, 92, 64),
    (112, 74, 54),
)
HAIRS_RGB = (
    (26, 22, 22),
    (40, 29, 25),
    (64, 43, 32),
    (98, 64, 42),
    (134, 92, 56),
    (190, 146, 92),
    (146, 68, 36),
    (150, 148, 146),
)
IRISES_RGB = ((58, 36, 24), (84, 52, 30), (112, 84, 48), (92, 108, 74), (84, 116, 142), (104, 120, 128))
CLOTHES_RGB = (
    (38, 52, 82),
    (112, 40, 48),
    (58, 84, 74),
    (206, 198, 184),
    (62, 62, 68),
    (150, 172, 192),
    (184, 120, 84),
    (92, 76, 116),
    (222, 186, 92),
    (44, 98, 110),
    (196, 142, 146),
    (232, 232, 230),
)
SHORT_HAIR = ("crop", "parted", "quiff", "buzz", "receding", "curls", "crop", "parted")
LONG_HAIR = ("long", "wavy", "bob", "bun", "fringe", "hijab", "afro", "tied", "long")
GARMENTS = ("crew", "shirt", "hoodie", "blazer", "vneck")


@dataclass(frozen=True, slots=True)
class Pose:
    """What moves: angles in degrees, the rest as shares.

    `yaw` turns towards the viewer's right, `pitch` looks down, `roll` leans clockwise; all are meant to
    stay within about ±12. `blink` and `mouth` run from 0 (open eye, closed mouth) to 1. `light` runs
    from -1 (lamp at the viewer's left) to 1 (right).
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float = 0.0
    mouth: float = 0.0
    light: float = -0.4


@dataclass(frozen=True, slots=True)
class Face:
    """Every parameter of a drawn person: lengths in thousandths of the bust's height, colours BGR 0..1.

    `feminine`, `age` and the other unit shares run from 0 to 1; factors lie around 1.
    """

    seed: int
    feminine: float
    age: float
    skin: Bgr
    hair: Bgr
    iris: Bgr
    lips: Bgr
    head_width: float
    head_length: float
    jaw: float
    chin: float
    cheek: float
    eye_gap: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    eye_y: float
    lid_crease: float
    brow_y: float
    brow_thick: float
    brow_arch: float
    brow_tilt: float
    nose_width: float
    nose_length: float
    nose_bridge: float
    mouth_width: float
    mouth_y: float
    lip_full: float
    smile: float
    freckles: float
    hairdo: str
    hair_volume: float
    part: float
    beard: float
    moustache: float
    glasses: str
    garment: str
    cloth: Bgr
    cloth_under: Bgr


def bgr(rgb: tuple[float, ...]) -> Bgr:
    """Give a colour written as 0..255 red, green, blue as 0..1 blue, green, red."""
    return (rgb[2] / 255, rgb[1] / 255, rgb[0] / 255)


@lru_cache(maxsize=256)
def face_from_seed(seed: int) -> Face:
    """Make up a person: the same seed always gives the same face."""
    rng = np.random.default_rng(seed)

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def extreme(low: float, high: float) -> float:
        """Draw rather from the ends than from the middle: what tells faces apart varies most."""
        return low + (high - low) * float(rng.beta(0.4, 0.4))

    def jittered(rgb: tuple[int, ...], spread: float) -> Bgr:
        shift = rng.normal(0, spread)
        return bgr(tuple(float(np.clip(c + shift + rng.normal(0, spread / 4), 8, 250)) for c in rgb))

    woman = bool(rng.random() < 0.5)
    feminine = between(0.7, 1.0) if woman else between(0.0, 0.25)
    age = float(rng.beta(1.1, 2.2))
    tone = int(rng.integers(len(SKINS_RGB)))
    skin = jittered(SKINS_RGB[tone], 3)
    dark_haired = tone >= 4 or rng.random() < 0.35
    hair_rgb = HAIRS_RGB[int(rng.integers(0, 3 if dark_haired else 7))]
    if age > 0.62 and rng.random() < 0.75:
        hair_rgb = HAIRS_RGB[7]
    hair = jittered(hair_rgb, 4)
    iris = jittered(IRISES_RGB[int(rng.integers(0, 2 if tone >= 4 else len(IRISES_RGB)))], 6)
    hairdo = str(rng.choice(LONG_HAIR if woman else SHORT_HAIR))
    if hairdo == "afro" and tone < 4:
        hairdo = "wavy"
    if hairdo == "receding" and age < 0.3:
        hairdo = "crop"
    bearded = not woman and rng.random() < 0.42
    rouge = 0.28 + 0.30 * feminine * rng.random()
    lip_target = (0.36, 0.28, 0.78) if tone < 5 else (0.26, 0.20, 0.52)
    lips = tuple(
        float(s * (0.86 - 0.2 * rouge) * (1 - rouge) + t * rouge)
        for s, t in zip(skin, lip_target, strict=True)
    )
    broad = tone >= 5 and rng.random() < 0.75
    cloth, under = (jittered(CLOTHES_RGB[int(i)], 6) for i in rng.choice(len(CLOTHES_RGB), 2, replace=False))
    return Face(
        seed=seed,
        feminine=feminine,
        age=age,
        skin=skin,
        hair=hair,
        iris=iris,
        lips=(lips[0], lips[1], lips[2]),
        head_width=extreme(0.89, 1.09) - 0.02 * feminine,
        head_length=extreme(0.91, 1.12) - 0.02 * feminine,
        jaw=extreme(0.84, 1.09) - 0.06 * feminine,
        chin=extreme(0.68, 1.3) - 0.12 * feminine,
        cheek=between(0.96, 1.05),
        eye_gap=extreme(62, 82),
        eye_width=extreme(28.5, 38) + 2.5 * feminine,
        eye_open=extreme(0.30, 0.50) + 0.05 * feminine,
        eye_tilt=extreme(-0.12, 0.21),
        eye_y=extreme(371, 408),
        lid_crease=between(0.15, 1.0),
        brow_y=extreme(40, 60) + 3 * feminine,
        brow_thick=extreme(6.5, 16) - 3.0 * feminine,
        brow_arch=extreme(0.05, 0.6) + 0.2 * feminine,
        brow_tilt=extreme(-0.15, 0.04),
        nose_width=extreme(30, 46) + (9 if broad else 0) - 2 * feminine,
        nose_length=extreme(-24, 21),
        nose_bridge=extreme(0.5, 1.45) - (0.15 if broad else 0),
        mouth_width=extreme(47, 72),
        mouth_y=extreme(-12, 12),
        lip_full=extreme(0.65, 1.25) + 0.2 * feminine + (0.2 if broad else 0),
        smile=between(0.7, 1.5),
        freckles=between(0.3, 0.9) if tone < 3 and rng.random() < 0.3 else 0.0,
        hairdo=hairdo,
        hair_volume=between(0.8, 1.25),
        part=between(-0.6, 0.6),
        beard=between(0.35, 1.0) if bearded else (between(0.0, 0.18) if not woman else 0.0),
        moustache=between(0.5, 1.0) if not woman and (bearded or rng.random() < 0.12) else 0.0,
        glasses=str(rng.choice(["round", "square"])) if rng.random() < 0.34 else "",
        garment=str(rng.choice(GARMENTS)),
        cloth=cloth,
        cloth_under=under,
    )
