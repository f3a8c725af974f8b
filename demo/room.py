"""Rooms behind people: walls, shelves, windows and plants, a little out of focus."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# Rooms in which a face detector sees nobody: a plant or a shelf easily passes for a face.
# fmt: off
_ROOMS = (
    1, 7, 11, 19, 33, 34, 37, 42, 57, 61, 64, 69, 74, 75, 77, 87, 92, 93, 98, 104, 110, 119, 126,
    128, 132, 137, 140, 143, 147, 149, 154, 165, 171, 173, 179, 181, 185, 186, 189, 203, 204, 205,
    207, 208, 215, 225, 242, 243,
)
# fmt: on
_WIDTH, _HEIGHT = 960, 540
_SHIFT = 4
_WALLS_RGB = (
    (222, 216, 204),
    (198, 206, 208),
    (176, 188, 178),
    (206, 190, 178),
    (150, 164, 176),
    (228, 222, 216),
    (120, 134, 138),
    (190, 176, 158),
    (168, 158, 168),
    (96, 108, 116),
)
_SPINES_RGB = (
    (138, 52, 46),
    (42, 66, 96),
    (196, 168, 108),
    (64, 92, 74),
    (206, 200, 188),
    (96, 72, 104),
    (52, 50, 52),
    (188, 112, 62),
    (110, 140, 156),
)
_WOODS_RGB = ((120, 84, 56), (92, 64, 46), (168, 132, 96), (206, 198, 188), (64, 52, 46))


@lru_cache(maxsize=256)
def room(seed: int, width: int, height: int) -> Pixels:
    """Draw a room: (height, width, 3) BGR uint8, shared between callers, not to be written to."""
    rng = np.random.default_rng(_ROOMS[seed % len(_ROOMS)])
    image = _wall(rng)
    left, right = rng.permutation(len(_THINGS))[:2]
    _THINGS[int(left)](image, rng, float(rng.uniform(0.02, 0.08)) * _WIDTH)
    _THINGS[int(right)](image, rng, float(rng.uniform(0.68, 0.74)) * _WIDTH)
    if rng.random() < 0.5:
        _rail(image, rng)
    focus = float(rng.uniform(5.0, 10.0))
    soft = cv2.GaussianBlur(image, (0, 0), focus).astype(np.float32)
    side = 1 if rng.random() < 0.5 else -1
    x = np.linspace(-1, 1, _WIDTH, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, _HEIGHT, dtype=np.float32)[:, None, None]
    soft *= 0.92 + 0.13 * side * x - 0.08 * y - 0.10 * (x * x + y * y)
    small = cv2.resize(np.clip(soft, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    small.setflags(write=False)
    return small.astype(np.uint8, copy=False)


def _bgr(rgb: tuple[int, int, int], factor: float = 1.0) -> Colour:
    blue, green, red = (int(np.clip(c * factor, 0, 255)) for c in rgb[::-1])
    return blue, green, red


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...], factor: float = 1.0) -> Colour:
    return _bgr(colours[int(rng.integers(len(colours)))], factor)


def _box(image: Pixels, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
    cv2.rectangle(image, (int(x1), int(y1)), (int(x2), int(y2)), colour, cv2.FILLED)


def _wall(rng: np.random.Generator) -> Pixels:
    colour = np.array(_pick(rng, _WALLS_RGB, float(rng.uniform(0.75, 0.98))), np.float32)
    x = np.linspace(0, 1, _WIDTH, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, _HEIGHT, dtype=np.float32)[:, None, None]
    lamp_x = float(rng.uniform(0, 1))
    light = 0.84 + 0.22 * np.exp(-(((x - lamp_x) / 0.5) ** 2) - ((y - 0.1) / 0.7) ** 2)
    image = np.clip(colour * light, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        line = int(rng.uniform(0.62, 0.75) * _HEIGHT)
        image[line:] = np.clip(image[line:].astype(np.float32) * float(rng.uniform(0.6, 0.85)), 0, 255)
        image[line : line + 7] = (215, 220, 224)
    return image


def _shelf(image: Pixels, rng: np.random.Generator, left: float) -> None:
    wood = _WOODS_RGB[int(rng.integers(len(_WOODS_RGB)))]
    top, width = float(rng.uniform(-40, 60)), float(rng.uniform(230, 290))
    _box(image, left, top, left + width, _HEIGHT, _bgr(wood, 0.55))
    row = float(rng.uniform(108, 136))
    floor = top + row
    while floor < _HEIGHT + row:
        x = left + 12
        while x < left + width - 26:
            if rng.random() < 0.14:
                x += float(rng.uniform(14, 40))
                continue
            book, tall = float(rng.uniform(9, 24)), float(rng.uniform(0.55, 0.9)) * row
            spine = _SPINES_RGB[int(rng.integers(len(_SPINES_RGB)))]
            _box(image, x, floor - tall, x + book, floor, _bgr(spine, float(rng.uniform(0.75, 1.05))))
            _box(image, x, floor - tall, x + 2, floor, _bgr(spine, 0.6))
            x += book + 1
        _box(image, left, floor, left + width, floor + 12, _bgr(wood))
        floor += row
    _box(image, left, top, left + 11, _HEIGHT, _bgr(wood, 0.92))
    _box(image, left + width - 11, top, left + width, _HEIGHT, _bgr(wood, 0.8))


def _window(image: Pixels, rng: np.random.Generator, left: float) -> None:
    width, top, bottom = (
        float(rng.uniform(200, 250)),
        float(rng.uniform(10, 50)),
        float(rng.uniform(330, 420)),
    )
    x1, x2, y1, y2 = int(left), int(left + width), int(top), int(bottom)
    evening = rng.random() < 0.25
    sky_top = np.array((120, 84, 62) if evening else (238, 218, 190), np.float32)
    sky_low = np.array((120, 140, 196) if evening else (246, 244, 238), np.float32)
    y = np.linspace(0, 1, y2 - y1, dtype=np.float32)[:, None, None]
    image[y1:y2, x1:x2] = (sky_top * (1 - y) + sky_low * y).astype(np.uint8)
    for _ in range(6):
        centre = (int(rng.uniform(x1, x2)), int(rng.uniform(y2 - 60, y2)))
        green = (int(rng.uniform(70, 110)), int(rng.uniform(110, 150)), int(rng.uniform(80, 120)))
        reach = (int(rng.uniform(25, 50)), int(rng.uniform(25, 60)))
        view = image[y1:y2, x1:x2]
        cv2.ellipse(view, (centre[0] - x1, centre[1] - y1), reach, 0, 0, 360, green, cv2.FILLED, cv2.LINE_AA)
    frame = (226, 230, 232)
    cv2.rectangle(image, (x1, y1), (x2, y2), frame, 10)
    cv2.line(image, ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2), frame, 7)
    cv2.line(image, (x1, (y1 + y2) // 2), (x2, (y1 + y2) // 2), frame, 5)
    _box(image, x1 - 14, y2, x2 + 14, y2 + 14, (206, 212, 216))
    if rng.random() < 0.6:
        cloth = _pick(rng, _WALLS_RGB, float(rng.uniform(0.7, 1.05)))
        for start in (x1 - 50, x2 - 30):
            for fold in range(8):
                tone = 0.82 + 0.18 * np.sin(fold * 1.7)
                shade: Colour = (int(cloth[0] * tone), int(cloth[1] * tone), int(cloth[2] * tone))
                _box(image, start + fold * 10, 0, start + fold * 10 + 10, _HEIGHT, shade)


def _plant(image: Pixels, rng: np.random.Generator, left: float) -> None:
    x, y = left + float(rng.uniform(80, 140)), float(rng.uniform(420, 480))
    pot = _pick(rng, _WOODS_RGB)
    corners = np.array([(x - 52, y), (x + 52, y), (x + 38, y + 110), (x - 38, y + 110)])
    dark = rng.uniform(0.7, 1.1)
    for i in range(34):
        angle = float(rng.uniform(-1.25, 1.25))
        reach = float(rng.uniform(90, 270))
        tip = (x + reach * np.sin(angle), y - reach * np.cos(angle) * 1.05)
        stem = np.array([(x, y), (x + reach * 0.35 * np.sin(angle), y - reach * 0.6 * np.cos(angle)), tip])
        tone = dark * (0.7 + 0.5 * i / 34)
        green: Colour = (int(62 * tone), int(112 * tone), int(72 * tone))
        cv2.polylines(
            image, [np.round(stem * 16).astype(np.int32)], False, (52, 84, 60), 3, cv2.LINE_AA, _SHIFT
        )
        axes = (int(rng.uniform(26, 52)), int(rng.uniform(9, 19)))
        centre = (int(tip[0]), int(tip[1]))
        turn = float(np.degrees(angle)) - 90 + float(rng.uniform(-25, 25))
        cv2.ellipse(image, centre, axes, turn, 0, 360, green, cv2.FILLED, cv2.LINE_AA)
    cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], pot, cv2.LINE_AA, _SHIFT)


def _pictures(image: Pixels, rng: np.random.Generator, left: float) -> None:
    for i in range(int(rng.integers(1, 4))):
        width, height = float(rng.uniform(90, 150)), float(rng.uniform(100, 150))
        x, y = left + 20 + 60 * (i % 2) + float(rng.uniform(-10, 30)), 34 + 165 * i
        _box(image, x, y, x + width, y + height, _pick(rng, _WOODS_RGB, 0.6))
        _box(image, x + 8, y + 8, x + width - 8, y + height - 8, (226, 230, 232))
        x1, y1, x2, y2 = int(x + 22), int(y + 22), int(x + width - 22), int(y + height - 22)
        view = image[y1:y2, x1:x2]
        view[:] = _pick(rng, _SPINES_RGB, 1.15)
        ground = int((y2 - y1) * rng.uniform(0.4, 0.75))
        view[ground:] = _pick(rng, _SPINES_RGB, 0.9)


def _lamp(image: Pixels, rng: np.random.Generator, left: float) -> None:
    x, y = left + float(rng.uniform(90, 150)), float(rng.uniform(200, 260))
    _box(image, x - 4, y, x + 4, _HEIGHT, (58, 62, 68))
    warm = np.array((150, 196, 236), np.float32)
    gx = np.arange(_WIDTH, dtype=np.float32)[None, :] - x
    gy = np.arange(_HEIGHT, dtype=np.float32)[:, None] - y
    glow = 0.42 * np.exp(-(gx**2 + gy**2) / (2 * 150.0**2))
    image[:] = np.clip(image + (warm - image) * glow[..., None], 0, 255).astype(np.uint8)
    shade = np.array([(x - 40, y - 84), (x + 40, y - 84), (x + 66, y + 14), (x - 66, y + 14)])
    cv2.fillPoly(image, [np.round(shade * 16).astype(np.int32)], (178, 216, 240), cv2.LINE_AA, _SHIFT)


def _door(image: Pixels, rng: np.random.Generator, left: float) -> None:
    colour = _pick(rng, _WOODS_RGB, float(rng.uniform(0.9, 1.1)))
    width = float(rng.uniform(190, 230))
    dark: Colour = (int(colour[0] * 0.8), int(colour[1] * 0.8), int(colour[2] * 0.8))
    _box(image, left - 12, 24, left + width + 12, _HEIGHT, (214, 220, 222))
    _box(image, left, 36, left + width, _HEIGHT, colour)
    for top, bottom in ((64, 260), (290, 520)):
        cv2.rectangle(image, (int(left + 28), top), (int(left + width - 28), bottom), dark, 5)
    cv2.circle(image, (int(left + width - 16), 318), 8, (150, 190, 200), cv2.FILLED, cv2.LINE_AA)


def _board(image: Pixels, rng: np.random.Generator, left: float) -> None:
    top, width, height = (
        float(rng.uniform(40, 90)),
        float(rng.uniform(210, 260)),
        float(rng.uniform(170, 230)),
    )
    cork = rng.random() < 0.5
    _box(image, left, top, left + width, top + height, (92, 122, 150))
    _box(
        image,
        left + 8,
        top + 8,
        left + width - 8,
        top + height - 8,
        (128, 164, 196) if cork else (240, 240, 238),
    )
    for _ in range(9):
        x = left + float(rng.uniform(16, width - 66))
        y = top + float(rng.uniform(16, height - 62))
        if cork:
            _box(image, x, y, x + 46, y + 42, _pick(rng, _SPINES_RGB, 1.5))
        else:
            end = (int(x + rng.uniform(20, 60)), int(y + rng.uniform(-4, 4)))
            cv2.line(image, (int(x), int(y)), end, _pick(rng, _SPINES_RGB), 3, cv2.LINE_AA)


def _rail(image: Pixels, rng: np.random.Generator) -> None:
    """Put the back of a chair or sofa along the lower edge."""
    colour = _pick(rng, _SPINES_RGB, 0.85)
    top = int(rng.uniform(400, 450))
    x1, x2 = int(rng.uniform(40, 260)), int(rng.uniform(700, 920))
    cv2.rectangle(image, (x1, top + 40), (x2, _HEIGHT), colour, cv2.FILLED)
    cv2.ellipse(
        image, ((x1 + x2) // 2, top + 42), ((x2 - x1) // 2, 40), 0, 180, 360, colour, cv2.FILLED, cv2.LINE_AA
    )


_THINGS = (_shelf, _window, _plant, _pictures, _lamp, _door, _board, _shelf, _window)
