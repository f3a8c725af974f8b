"""A participant's tile, drawn from a picture of them: a camera's framing, movement, light, noise and codec."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.people import Subject
from recognizer.observation import Image

__all__ = ["Framing", "avatar", "camera_picture", "choose_framing"]

Weights = NDArray[np.float32]
NOISE_SIDE = 1200


@dataclass(frozen=True, slots=True)
class Framing:
    """How a camera sees its person, constant for a seat.

    `face`: the face's height as a share of the tile's. `right`, `down`: where its middle is, as shares of the tile's
    height from the tile's middle. `bars`: width of the picture within the tile, 1 without letterbox bars.
    `quality`: of the codec, as JPEG's. `noise`: standard deviation in grey levels.
    """

    seed: int
    face: float
    right: float
    down: float
    bars: float
    gain: float
    noise: float
    quality: int


def choose_framing(seed: int) -> Framing:
    """Draw a framing: faces from about a third to a half of the tile, one tile in six with bars at its sides."""
    rng = np.random.default_rng(seed)
    return Framing(
        seed=seed,
        face=float(rng.uniform(0.32, 0.48)),
        right=float(rng.normal(0, 0.09)),
        down=float(rng.uniform(-0.06, 0.08)),
        bars=float(rng.choice([1.0, 1.0, 1.0, 1.0, 1.0, 0.75])),
        gain=float(rng.uniform(0.8, 1.15)),
        noise=float(rng.uniform(1.0, 3.5)),
        quality=int(rng.integers(55, 88)),
    )


def camera_picture(
    subject: Subject, picture: int, framing: Framing, at_s: float, width: int, height: int, room: Subject
) -> Image:
    """The tile at a moment, uint8 of shape (height, width, 3). `room`: whose room it is.

    The person sways by some hundredths of the face and the light drifts; with an `at_s` of NaN nothing moves, as in a
    still picture shown to the camera. The codec's noise is another at every moment.
    """
    source = subject.pictures[picture % len(subject.pictures)]
    still = at_s != at_s
    moment = 0.0 if still else at_s
    inner = round(width * framing.bars)
    scale = framing.face * height / (subject.face_share * source.shape[0])
    # A sway of about four hundredths of the face, with several periods so that it does not repeat.
    sway = [_wave(framing.seed + index, moment) for index in range(5)]
    face_px = framing.face * height
    centre_x = inner / 2 + framing.right * height + 0.05 * face_px * sway[0]
    centre_y = height * (0.5 + framing.down) + 0.04 * face_px * sway[1]
    matrix = cv2.getRotationMatrix2D(
        (source.shape[1] / 2, source.shape[0] / 2), 2.5 * sway[2], scale * (1 + 0.03 * sway[3])
    )
    matrix[0, 2] += centre_x - source.shape[1] / 2
    matrix[1, 2] += centre_y - source.shape[0] / 2
    person = cv2.warpAffine(source, matrix, (inner, height), flags=cv2.INTER_AREA)
    cover = cv2.warpAffine(_soft_edge(source.shape[0], source.shape[1]), matrix, (inner, height))[..., None]
    shown = _backdrop(room, inner, height)
    mixed = shown + (person.astype(np.float32) - shown) * cover
    mixed *= framing.gain * (1 + 0.03 * sway[4])
    tick = 0 if still else round(moment * 30)
    rng = np.random.default_rng((framing.seed, tick))
    top, left = int(rng.integers(NOISE_SIDE - height)), int(rng.integers(2 * NOISE_SIDE - inner))
    mixed += framing.noise * _noise()[top : top + height, left : left + inner, None]
    seen = np.clip(mixed, 0, 255).astype(np.uint8)
    quality = framing.quality - int(rng.integers(0, 6))
    _, coded = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if inner == width:
        return decoded
    tile = np.zeros((height, width, 3), np.uint8)
    left_bar = (width - inner) // 2
    tile[:, left_bar : left_bar + inner] = decoded
    return tile


def avatar(label: str, seed: int, width: int, height: int) -> Image:
    """What is shown of a participant whose camera is off: initials in a disc, or a name, on a plain tile."""
    rng = np.random.default_rng(seed)
    colour = tuple(int(value) for value in rng.integers(30, 200, 3))
    tile = np.full((height, width, 3), int(rng.integers(24, 70)), np.uint8)
    initials = "".join(word[0] for word in label.split())[:2].upper() or "?"
    middle = (width // 2, height // 2)
    if seed % 3:
        cv2.circle(tile, middle, round(0.27 * height), colour, -1, cv2.LINE_AA)
        text, size = initials, height / 130
    else:
        text, size = label, height / 190
    (text_w, text_h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, size, 1)
    place = (middle[0] - text_w // 2, middle[1] + text_h // 2)
    cv2.putText(tile, text, place, cv2.FONT_HERSHEY_DUPLEX, size, (240, 240, 240), 1, cv2.LINE_AA)
    return tile


def _wave(seed: int, at_s: float) -> float:
    """A slow movement between about -1 and 1 that never repeats."""
    rng = np.random.default_rng(seed)
    periods, phases = rng.uniform(3, 40, 3), rng.uniform(0, 2 * np.pi, 3)
    return float(np.sin(2 * np.pi * at_s / periods + phases).mean() * 1.4)


@lru_cache(maxsize=4)
def _soft_edge(height: int, width: int) -> Weights:
    """Weights of a picture fading out towards its rim, float32 of shape (height, width)."""
    across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    rim = np.minimum(1 - np.abs(across)[None, :], 1 - np.abs(down)[:, None])
    return np.asarray(np.clip(rim / 0.12, 0, 1), np.float32)


@lru_cache(maxsize=512)
def _blurred(room: Subject) -> Image:
    small = cv2.resize(room.pictures[0], (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 3), np.uint8)


def _backdrop(room: Subject, width: int, height: int) -> Weights:
    """What is behind the person: a picture blurred out of recognition, float32."""
    wide = cv2.resize(_blurred(room), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.float32)


@lru_cache(maxsize=1)
def _noise() -> Weights:
    return np.random.default_rng(7).normal(0, 1, (NOISE_SIDE, 2 * NOISE_SIDE)).astype(np.float32)
