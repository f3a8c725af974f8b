"""One participant's camera picture at a moment of the meeting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from demo.face import Face, Pose, draw_front_view, face_from_seed, turner
from demo.room import room

Pixels = npt.NDArray[np.uint8]

_BLINK_S = 0.26
_NOISE_SIDE = 1400


@dataclass(frozen=True, slots=True)
class Shot:
    """How a camera sees its person: constants of one seat.

    `size` is the bust's height and `left`, `top` its place, as shares of the picture's height; `gain`
    holds the white balance and exposure as BGR factors; `noise` is the sensor's, in grey levels.
    """

    size: float
    left: float
    top: float
    light: float
    gain: tuple[float, float, float]
    noise: float


@lru_cache(maxsize=256)
def shot(seed: int, backdrop_seed: int) -> Shot:
    """Choose the framing and light of a person in a room."""
    rng = np.random.default_rng((seed, backdrop_seed))
    size = float(rng.uniform(1.08, 1.34))
    warm = float(rng.uniform(-0.05, 0.05))
    exposure = float(rng.uniform(0.92, 1.06))
    return Shot(
        size=size,
        left=float(rng.uniform(-0.10, 0.10)),
        top=max(float(rng.uniform(-0.04, 0.05)), 1.05 - size),
        light=float(rng.uniform(0.2, 0.5)) * (1 if rng.random() < 0.5 else -1),
        gain=(exposure * (1 - warm), exposure, exposure * (1 + warm)),
        noise=float(rng.uniform(1.5, 3.5)),
    )


@dataclass(frozen=True, slots=True)
class Movement:
    """Where a person is: the head's pose and the body's shift in shares of the bust's height."""

    pose: Pose
    right: float
    down: float
    zoom: float


def movement(seed: int, at_s: float, *, speaking: bool, light: float) -> Movement:
    """Say how a person holds themselves at a moment: smooth in time, the same for the same moment."""
    rng = np.random.default_rng(seed + 9000)

    def wander(*periods_s: float) -> float:
        """Sum sines of about these periods, to stay within ±1."""
        total = 0.0
        for period in periods_s:
            actual = period * float(rng.uniform(0.8, 1.25))
            total += float(np.sin(2 * np.pi * at_s / actual + rng.uniform(0, 2 * np.pi)))
        return total / len(periods_s)

    lively = 1.2 if speaking else 1.0
    yaw = 4.0 * lively * wander(23, 9, 5.1)
    pitch = 2.3 * lively * wander(17, 6.3, 3.7)
    roll = 1.9 * lively * wander(19, 7.7)
    right, down = 0.016 * wander(29, 11), 0.008 * wander(21, 4.2)
    zoom = 1 + 0.014 * wander(31, 13)
    mouth = 0.0
    if speaking:
        mouth = float(np.clip(0.34 + 0.55 * wander(0.31, 0.47) + 0.25 * wander(1.9), 0, 0.75))
    return Movement(Pose(yaw, pitch, roll, _blink(seed, at_s), mouth, light), right, down, zoom)


def _blink(seed: int, at_s: float) -> float:
    """Say how closed the eyes are: a quick blink every four seconds or so, never quite regular."""
    period = 3.2 + 1.9 * float(np.random.default_rng(seed + 77).random())
    beat = int(at_s // period)
    start = 0.7 * period * float(np.random.default_rng((seed, beat & 0xFFFF)).random())
    share = (at_s - beat * period - start) / _BLINK_S
    return float(np.sin(np.pi * share)) if 0 < share < 1 else 0.0


@lru_cache(maxsize=512)
def _front(face: Face, height_px: int, blink: int, mouth: int, seat: Shot) -> Pixels:
    """Draw one state of a face in its seat's light; `blink` in halves, `mouth` in thirds."""
    pose = Pose(blink=blink / 2, mouth=mouth / 3, light=seat.light)
    front = draw_front_view(face, pose, height_px)
    return np.clip(front * np.array([*seat.gain, 1], np.float32), 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _noise() -> npt.NDArray[np.int16]:
    """Make sensor noise (side, side, 3) with a standard deviation of 16, to be taken from anywhere."""
    grain = np.random.default_rng(5).normal(0, 16, (_NOISE_SIDE, _NOISE_SIDE, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.55).astype(np.float32)
    noise: npt.NDArray[np.int16] = (grain * (16 / grain.std())).astype(np.int16)
    return noise


@lru_cache(maxsize=64)
def _noise_at(level: int) -> npt.NDArray[np.int16]:
    noise: npt.NDArray[np.int16] = np.round(_noise() * (level / 64)).astype(np.int16)
    return noise


def take(
    seed: int,
    backdrop_seed: int,
    at_s: float,
    width: int,
    height: int,
    *,
    speaking: bool = False,
    away: bool = False,
) -> Pixels:
    """Take one picture: (height, width, 3) BGR uint8, the caller's own.

    With `away` there is only the room.
    """
    seat = shot(seed, backdrop_seed)
    picture = _room(backdrop_seed, width, height, seat)
    if not away:
        _put_person(picture, seed, seat, at_s, speaking)
    rng = np.random.default_rng((seed, round(at_s * 1000) & 0x7FFFFFFF))
    noise = _noise_at(round(seat.noise * 4))
    room_x, room_y = max(1, _NOISE_SIDE - width), max(1, _NOISE_SIDE - height)
    x, y = int(rng.integers(room_x)), int(rng.integers(room_y))
    patch = noise[y : y + height, x : x + width]
    if patch.shape != picture.shape:
        patch = np.tile(noise, (2, 2, 1))[:height, :width]
    return cv2.add(picture, patch, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


def _room(backdrop_seed: int, width: int, height: int, seat: Shot) -> Pixels:
    return _graded_room(backdrop_seed, width, height, seat).copy()


@lru_cache(maxsize=256)
def _graded_room(backdrop_seed: int, width: int, height: int, seat: Shot) -> Pixels:
    plain = room(backdrop_seed, width, height)
    return np.clip(plain * np.array(seat.gain, np.float32), 0, 255).astype(np.uint8)


def _put_person(picture: Pixels, seed: int, seat: Shot, at_s: float, speaking: bool) -> None:
    """Blend the person over the picture, in place."""
    height, width = picture.shape[:2]
    face = face_from_seed(seed)
    moved = movement(seed, at_s, speaking=speaking, light=seat.light)
    side = round(seat.size * height)
    front = _front(face, side, round(moved.pose.blink * 2), round(moved.pose.mouth * 3), seat)
    left = round(width / 2 - side / 2 + seat.left * height)
    top = round(seat.top * height)
    bust = turner(face, side).turned(front, moved.pose, moved.right * side, moved.down * side, moved.zoom)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    bust = bust[y1 - top : y2 - top, x1 - left : x2 - left]
    under = picture[y1:y2, x1:x2]
    blue, green, red, alpha = cv2.split(bust)
    clear = cv2.bitwise_not(alpha)
    kept = cv2.multiply(under, cv2.merge([clear, clear, clear]), scale=1 / 255)
    picture[y1:y2, x1:x2] = cv2.add(kept, cv2.merge([blue, green, red]))
