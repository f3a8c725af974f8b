"""Is a face on a photograph good enough to know its owner by? If not, why not, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.network import model_folder
from recognizer.observation import FaceCrop

__all__ = ["Finding", "Quality", "findings", "measure", "pose"]

CHIP_PX = 150
INNER = np.s_[30:130, 30:120]
"""Brows to chin within the aligned face: no hair, no background."""

MIN_FACE_PX = 60
MIN_P95 = 70
MAX_BLACK = 0.15
MAX_WHITE = 0.15
MAX_P5 = 170
MAX_BLUR = 0.85
MAX_YAW = 0.33
PITCH = (0.42, 1.1)
MAX_ROLL_DEG = 28.0

GOOD_FACE_PX, GOOD_P95, GOOD_P5, GOOD_BLUR = 120, 140, 110, 0.6
"""From where a face that is larger, brighter, darker or sharper is no better to recognise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a photograph. `fault`: one word for programs; `sentence`: for people, with what to do."""

    fault: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on a face.

    `height_px`: of its box. `p5`, `p95`: darkest and brightest grey of its inner part, 0 to 255, without the outermost
    twentieths; `black`, `white`: shares of it at most 10 and at least 245. `blur`: 0 sharp to 1 nothing but blur.
    `yaw`, `pitch`: where the base of the nose lies beside and below the middle between the eyes, in distances of the
    eyes. `roll_deg`: how far the line through the eyes is from level.
    """

    height_px: int
    p5: float
    p95: float
    black: float
    white: float
    blur: float
    yaw: float
    pitch: float
    roll_deg: float

    @property
    def score(self) -> float:
        """How good the photograph is, 0 to 1: how far the worst of size, light, sharpness and pose is from refusal.

        Each counts 0 at the bound of `CHECKS` and 1 from where more adds nothing, in equal steps between: 120 pixels; no
        black and no white, the brightest part at 140 and the darkest at 110; a blur of .6; a head that is straight.
        """
        middle, reach = sum(PITCH) / 2, (PITCH[1] - PITCH[0]) / 2
        margins = (
            (self.height_px - MIN_FACE_PX) / (GOOD_FACE_PX - MIN_FACE_PX),
            (self.p95 - MIN_P95) / (GOOD_P95 - MIN_P95),
            (MAX_P5 - self.p5) / (MAX_P5 - GOOD_P5),
            1 - self.black / MAX_BLACK,
            1 - self.white / MAX_WHITE,
            (MAX_BLUR - self.blur) / (MAX_BLUR - GOOD_BLUR),
            1 - abs(self.yaw) / MAX_YAW,
            1 - abs(self.pitch - middle) / reach,
            1 - abs(self.roll_deg) / MAX_ROLL_DEG,
        )
        return min(1.0, max(0.0, min(margins)))


CHECKS: tuple[tuple[str, Callable[[Quality], bool], str], ...] = (
    (
        "small",
        lambda face: face.height_px < MIN_FACE_PX,
        "The face is too small (only {face.height_px} pixels high where {least} are needed): "
        "come closer to the camera, or give a larger picture.",
    ),
    (
        "dark",
        lambda face: face.p95 < MIN_P95 or face.black > MAX_BLACK,
        "The photo is too dark: take it facing a window or a lamp, with no bright light behind.",
    ),
    (
        "bright",
        lambda face: face.white > MAX_WHITE or face.p5 > MAX_P5,
        "The photo is too bright, parts of the face are plain white: take it without flash and out of direct sun.",
    ),
    (
        "turned",
        lambda face: abs(face.yaw) > MAX_YAW,
        "The face is turned to the side: look straight into the camera.",
    ),
    (
        "raised",
        lambda face: face.pitch < PITCH[0],
        "The head is thrown back: hold the camera at the height of the eyes and look straight into it.",
    ),
    (
        "lowered",
        lambda face: face.pitch > PITCH[1],
        "The head is bowed: hold the camera at the height of the eyes and look straight into it.",
    ),
    (
        "tilted",
        lambda face: abs(face.roll_deg) > MAX_ROLL_DEG,
        "The head is tilted: hold the head and the camera upright.",
    ),
    (
        "blurred",
        lambda face: face.blur > MAX_BLUR,
        "The photo is blurred: hold the camera still, wipe its lens and take the photo in more light.",
    ),
)
"""What is asked of a face, the most useful thing to be told first: dark photos are blurred too, more light helps both.

The bounds come from Labeled Faces in the Wild: 416 photographs of 136 people, 56 of them with up to 6 each. They refuse
6 of the 415 that show one person, 1.4 %, all of them turned away or thrown back, and none of the 56 to be enrolled.
Of copies made worse on purpose (one photograph of each of the 136, faces 108 pixels high) they refuse: Gaussian blur
with a sigma of 2.5 pixels 90 %, 3 pixels 99 %, more all; camera shake over 13 pixels 95 %; light reduced to .3 99 %,
to .2 all; a gamma of 4 83 %; light doubled and clipped 84 %, times 2.5 98 %; turned by 40 degrees 96 %. Blur with a
sigma of 2 hardly hurts recognition (mean distance to the same person's other photographs .48 after .44), 3 does (.53).
`MIN_P95` is the brightest part of the face, not its mean, and far below the darkest good photograph
(113): dark skin in good light is no dark photograph.
"""


def findings(face: FaceCrop) -> list[Finding]:
    """What is wrong with a face for enrolment, the most useful first; empty: nothing."""
    quality = measure(face)
    return [
        Finding(fault, sentence.format(face=quality, least=MIN_FACE_PX))
        for fault, is_wrong, sentence in CHECKS
        if is_wrong(quality)
    ]


def measure(face: FaceCrop) -> Quality:
    """Measure a face, on its image turned upright and scaled to 150×150 pixels as the recogniser sees it.

    Landmarks: dlib's five points (the corners of the eyes, the base of the nose).
    """
    rgb = np.ascontiguousarray(cv2.cvtColor(face.image, cv2.COLOR_BGR2RGB))
    dlib, align = _landmarks()
    shape = align(rgb, dlib.rectangle(*face.box_xyxy))
    points = np.array([(point.x, point.y) for point in shape.parts()], float)
    yaw, pitch, roll_deg = pose(points)
    chip = cv2.cvtColor(np.asarray(dlib.get_face_chip(rgb, shape, CHIP_PX)), cv2.COLOR_RGB2GRAY)
    inner = np.asarray(chip[INNER], np.float32)
    p5, p95 = np.percentile(inner, (5, 95))
    return Quality(
        height_px=face.box_xyxy[3] - face.box_xyxy[1],
        p5=float(p5),
        p95=float(p95),
        black=float((inner <= 10).mean()),
        white=float((inner >= 245).mean()),
        blur=_blur(inner),
        yaw=yaw,
        pitch=pitch,
        roll_deg=roll_deg,
    )


def pose(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """`Quality.yaw`, `pitch` and `roll_deg` of dlib's five landmarks, shape (5, 2).

    The base of the nose stands out from the plane of the eyes by about half their distance, so a yaw of .33 is a head
    turned by about 35 degrees.
    """
    right, left, nose = points[0:2].mean(axis=0), points[2:4].mean(axis=0), points[4]
    across = right - left
    distance = max(float(np.hypot(*across)), 1.0)
    along = across / distance
    down = np.array([-along[1], along[0]])
    offset = (nose - (left + right) / 2) / distance
    return float(offset @ along), float(offset @ down), float(np.degrees(np.arctan2(across[1], across[0])))


def _blur(gray: NDArray[np.float32]) -> float:
    """How little a blur along the rows or along the columns changes, whichever is less: 0 sharp, 1 blurred already.

    Crete, Dolmiere, Ladret and Nicolas, "The Blur Effect" (2007), with a window of 7 pixels. The face is smoothed a
    little first: else the rounding to 256 greys passes for detail where there is none. The variance of the Laplacian,
    measured on the same photographs, misses most of the shaken ones, as it adds up both directions.
    """
    smooth = cv2.GaussianBlur(gray, (0, 0), 1)
    left_over = []
    for axis, window in ((1, (7, 1)), (0, (1, 7))):
        steps = np.abs(np.diff(smooth, axis=axis))
        blurred_steps = np.abs(np.diff(cv2.blur(smooth, window), axis=axis))
        lost = np.maximum(0, steps - blurred_steps).sum()
        left_over.append(1 - float(lost) / max(float(steps.sum()), 1e-6))
    return max(left_over)


@cache
def _landmarks() -> tuple[Any, Any]:
    import dlib

    return dlib, dlib.shape_predictor(str(model_folder() / "shape_predictor_5_face_landmarks.dat"))
