"""The people of the simulated class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from demo.face import Pose, draw_bust, face_from_seed

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a drawn face; `student_no` and `email` are empty for those who aren't enrolled."""

    student_no: str
    name: str
    email: str
    seed: int


# The seeds were chosen with `python -m demo.casting`: faces that a detector finds and an embedding tells
# apart, and whose owners look like their names.
_NAMES = {
    24542: "Amara Okafor",
    27283: "Tom Gallagher",
    1354: "Priya Raman",
    125346: "Mateo Alvarez",
    1498: "Hannah Weiss",
    101270: "Rohan Mehta",
    32196: "Chloe Martin",
    70940: "Kwame Mensah",
    43212: "Sofia Rossi",
    1347: "Aisha Rahman",
    1124: "Mei Tanaka",
    1472: "Samuel Adeyemi",
    55403: "Freya Nilsen",
    1691: "Joseph Banda",
    140970: "Ines Costa",
    1114: "Zuri Abebe",
}

CAST: tuple[Person, ...] = tuple(
    Person(f"S{2001 + i}", name, f"{name.lower().replace(' ', '.')}@campus.example", seed)
    for i, (seed, name) in enumerate(_NAMES.items())
)
STRANGER = Person("", "Guest", "", seed=126295)


@lru_cache(maxsize=64)
def portrait(person: Person, height_px: int = 640) -> Pixels:
    """Draw the enrolment photograph: (height_px, 4/5 of it, 3) BGR uint8, not to be written to.

    A plain backdrop and even light, a slightly different pose from any in class, a little noise.
    """
    rng = np.random.default_rng(person.seed + 500)
    pose = Pose(
        yaw=float(rng.uniform(-2.5, 2.5)),
        pitch=float(rng.uniform(-2, 2)),
        roll=float(rng.uniform(-2, 2)),
        light=float(rng.uniform(-0.25, 0.25)),
    )
    bust = draw_bust(face_from_seed(person.seed), pose, height_px).astype(np.float32)
    width = height_px * 4 // 5
    left = (height_px - width) // 2
    bust = bust[:, left : left + width]
    y = np.linspace(-1, 1, height_px, dtype=np.float32)[:, None, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    tint = np.array([206, 203, 199], np.float32) * float(rng.uniform(0.94, 1.04))
    backdrop = tint * (1.04 - 0.12 * (x * x + y * y))
    alpha = bust[..., 3:] / 255
    picture = backdrop * (1 - alpha) + bust[..., :3] * alpha
    grain = rng.normal(0, 2.2, picture.shape).astype(np.float32)
    picture += cv2.GaussianBlur(grain, (0, 0), 0.6)
    photograph: Pixels = np.clip(picture, 0, 255).astype(np.uint8)
    photograph.setflags(write=False)
    return photograph
