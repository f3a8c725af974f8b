"""The meeting window around the tiles: bars, labels, icons, avatars."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]

WINDOW_RGB = (20, 20, 22)
TOP_BAR_PX = 44
TOOLBAR_PX = 78
_BAR_RGB = (26, 26, 29)
_TEXT_RGB = (236, 236, 238)
_DIM_RGB = (168, 168, 174)
_RED_RGB = (226, 52, 58)
_GREEN_RGB = (62, 190, 104)
_AVATARS_RGB = (
    (14, 114, 237),
    (0, 128, 110),
    (178, 70, 44),
    (112, 74, 184),
    (196, 120, 10),
    (170, 44, 104),
    (62, 108, 62),
    (70, 92, 134),
)
_SS = 3


@lru_cache(maxsize=64)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _shrunk(image: Image.Image) -> Pixels:
    """Reduce a supersampled RGBA picture: (h, w, 4) BGRA uint8, colours multiplied by alpha."""
    rgba = np.asarray(image, np.float32)
    rgba = np.concatenate([rgba[..., :3] * (rgba[..., 3:] / 255), rgba[..., 3:]], axis=2)
    size = (image.width // _SS, image.height // _SS)
    small = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
    return np.clip(np.round(small[..., [2, 1, 0, 3]]), 0, 255).astype(np.uint8)


def over(picture: Pixels, layer: Pixels, left: int, top: int) -> None:
    """Lay a premultiplied BGRA layer over a BGR picture, in place."""
    under = picture[top : top + layer.shape[0], left : left + layer.shape[1]]
    clear = 255 - layer[: under.shape[0], : under.shape[1], 3:].astype(np.uint16)
    mixed = (under * clear + 127) // 255 + layer[: under.shape[0], : under.shape[1], :3]
    under[:] = np.minimum(mixed, 255).astype(np.uint8)


def _mic(draw: ImageDraw.ImageDraw, x: float, y: float, r: float, rgb: tuple[int, ...], *, off: bool) -> None:
    """Draw a microphone of height 4 `r` about a centre."""
    line = max(1, round(r * 0.32))
    draw.rounded_rectangle((x - r * 0.62, y - r * 1.9, x + r * 0.62, y + r * 0.35), r * 0.62, fill=rgb)
    draw.arc((x - r * 1.15, y - r * 1.25, x + r * 1.15, y + r * 1.0), 0, 180, fill=rgb, width=line)
    draw.line((x, y + r * 0.95, x, y + r * 1.7), fill=rgb, width=line)
    draw.line((x - r * 0.6, y + r * 1.7, x + r * 0.6, y + r * 1.7), fill=rgb, width=line)
    if off:
        draw.line(
            (x - r * 1.5, y - r * 1.7, x + r * 1.5, y + r * 1.7), fill=_RED_RGB, width=round(line * 1.5)
        )


@lru_cache(maxsize=256)
def label(text: str, tile_height: int, muted: bool, speaking: bool) -> Pixels:
    """Draw a name's pill: (h, w, 4) premultiplied BGRA."""
    size = int(np.clip(tile_height * 0.062, 11, 17))
    font = _font(size * _SS)
    pad = size * _SS // 2
    icon = round(size * 1.0) * _SS
    wide = round(font.getlength(text)) + icon + 2 * pad + pad // 2
    high = round(size * 1.75) * _SS
    image = Image.new("RGBA", (-(-wide // _SS) * _SS, high), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, image.width - 1, high - 1), high * 0.26, fill=(12, 12, 14, 176))
    rgb = _GREEN_RGB if speaking else _TEXT_RGB
    _mic(draw, pad + icon * 0.38, high / 2, size * _SS * 0.20, rgb, off=muted and not speaking)
    draw.text((pad + icon, high / 2), text, font=font, fill=_TEXT_RGB, anchor="lm")
    return _shrunk(image)


@lru_cache(maxsize=256)
def avatar(text: str, width: int, height: int) -> Pixels:
    """Draw the tile of somebody whose camera is off: (height, width, 3) BGR."""
    image = Image.new("RGBA", (width * _SS, height * _SS), (38, 38, 42, 255))
    draw = ImageDraw.Draw(image)
    words = text.split() or ["?"]
    initials = (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
    rgb = _AVATARS_RGB[sum(map(ord, text)) % len(_AVATARS_RGB)]
    x, y, r = width * _SS / 2, height * _SS * 0.48, height * _SS * 0.21
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(*rgb, 255))
    draw.text((x, y), initials, font=_font(round(r * 0.82)), fill=(255, 255, 255, 255), anchor="mm")
    return np.ascontiguousarray(_shrunk(image)[..., :3])


@lru_cache(maxsize=64)
def frame(width: int, height: int, radius: int, speaking: bool) -> Pixels:
    """Draw what frames a tile: window-coloured corners, and a green line round a speaker."""
    image = Image.new("RGBA", (width * _SS, height * _SS), (*WINDOW_RGB, 255))
    draw = ImageDraw.Draw(image)
    box = (0, 0, width * _SS - 1, height * _SS - 1)
    draw.rounded_rectangle(box, radius * _SS, fill=(*WINDOW_RGB, 0))
    if speaking:
        draw.rounded_rectangle(box, radius * _SS, outline=(*_GREEN_RGB, 255), width=3 * _SS)
    return _shrunk(image)


@lru_cache(maxsize=16)
def top_bar(width: int, title: str, clock_text: str) -> Pixels:
    """Draw the bar above the tiles: (TOP_BAR_PX, width, 3) BGR."""
    high = TOP_BAR_PX * _SS
    image = Image.new("RGBA", (width * _SS, high), (*WINDOW_RGB, 255))
    draw = ImageDraw.Draw(image)
    middle = high / 2
    shield = [(18, 13), (26, 16), (26, 23), (18, 31), (10, 23), (10, 16)]
    draw.polygon([(x * _SS, y * _SS) for x, y in shield], fill=_GREEN_RGB)
    draw.line(
        [(14 * _SS, 21 * _SS), (17 * _SS, 24.5 * _SS), (22 * _SS, 18 * _SS)],
        fill=(255, 255, 255),
        width=2 * _SS,
    )
    draw.text((38 * _SS, middle), title, font=_font(15 * _SS), fill=_TEXT_RGB, anchor="lm")
    draw.text((width * _SS / 2, middle), clock_text, font=_font(14 * _SS), fill=_DIM_RGB, anchor="mm")
    x = (width - 96) * _SS
    draw.rounded_rectangle((x, 8 * _SS, x + 84 * _SS, high - 8 * _SS), 7 * _SS, fill=(48, 48, 54))
    for row in range(2):
        for column in range(3):
            left, top = x + (12 + 7 * column) * _SS, (16 + 7 * row) * _SS
            draw.rectangle((left, top, left + 5 * _SS - 1, top + 5 * _SS - 1), fill=_TEXT_RGB)
    draw.text((x + 40 * _SS, middle), "View", font=_font(13 * _SS), fill=_TEXT_RGB, anchor="lm")
    return np.ascontiguousarray(_shrunk(image)[..., :3])


@lru_cache(maxsize=16)
def empty_window(width: int, height: int, participants: int) -> Pixels:
    """Draw a window without tiles or title: (height, width, 3) BGR, not to be written to."""
    window = np.empty((height, width, 3), np.uint8)
    window[:] = WINDOW_RGB[::-1]
    window[height - TOOLBAR_PX :] = toolbar(width, participants)
    window.setflags(write=False)
    return window


def toolbar(width: int, participants: int) -> Pixels:
    """Draw the bar below the tiles: (TOOLBAR_PX, width, 3) BGR."""
    image = Image.new("RGBA", (width * _SS, TOOLBAR_PX * _SS), (*_BAR_RGB, 255))
    draw = ImageDraw.Draw(image)
    names = ("Mute", "Stop Video", "Participants", "Chat", "Share Screen", "Record", "Reactions")
    narrow = width < 1000
    pitch = 74 if narrow else 104
    start = width / 2 - pitch * (len(names) - 1) / 2 - (24 if narrow else 0)
    for i, name in enumerate(names):
        x, y = (start + pitch * i) * _SS, 29 * _SS
        draw.ellipse((x - 21 * _SS, y - 21 * _SS, x + 21 * _SS, y + 21 * _SS), fill=(44, 44, 50))
        _icon(draw, name, x, y)
        if name == "Participants":
            draw.text(
                (x + 25 * _SS, y - 15 * _SS),
                str(participants),
                font=_font(13 * _SS),
                fill=_TEXT_RGB,
                anchor="lm",
            )
        draw.text((x, 64 * _SS), name, font=_font((9 if narrow else 12) * _SS), fill=_DIM_RGB, anchor="mm")
    right = (width - 14) * _SS
    draw.rounded_rectangle((right - 76 * _SS, 21 * _SS, right, 57 * _SS), 9 * _SS, fill=_RED_RGB)
    draw.text((right - 38 * _SS, 39 * _SS), "Leave", font=_font(15 * _SS), fill=(255, 255, 255), anchor="mm")
    return np.ascontiguousarray(_shrunk(image)[..., :3])


def _icon(draw: ImageDraw.ImageDraw, name: str, x: float, y: float) -> None:
    s = float(_SS)
    ink = _TEXT_RGB

    def at(*numbers: float) -> tuple[float, ...]:
        return tuple((x if i % 2 == 0 else y) + n * s for i, n in enumerate(numbers))

    if name == "Mute":
        _mic(draw, x, y, 5 * s, ink, off=False)
    elif name == "Stop Video":
        draw.rounded_rectangle(at(-11, -7, 4, 7), 3 * s, fill=ink)
        draw.polygon(at(6, -2, 12, -6, 12, 6, 6, 2), fill=ink)
    elif name == "Participants":
        for dx, r in ((-4, 4.2), (6, 3.4)):
            draw.ellipse(at(dx - r, -3 - r * 1.6, dx + r, -3 + r * 0.4), fill=ink)
            draw.pieslice(at(dx - r * 1.8, 1, dx + r * 1.8, 1 + r * 3.2), 180, 360, fill=ink)
    elif name == "Chat":
        draw.rounded_rectangle(at(-10, -8, 10, 5), 4 * s, fill=ink)
        draw.polygon(at(-5, 4, 1, 4, -5, 10), fill=ink)
    elif name == "Share Screen":
        draw.rounded_rectangle(at(-11, -8, 11, 8), 3 * s, fill=_GREEN_RGB)
        draw.polygon(at(0, -5, 5, 1, -5, 1), fill=(20, 40, 26))
        draw.rectangle(at(-1.5, 0, 1.5, 5), fill=(20, 40, 26))
    elif name == "Record":
        draw.ellipse(at(-9, -9, 9, 9), outline=ink, width=2 * _SS)
        draw.ellipse(at(-5, -5, 5, 5), fill=ink)
    else:
        draw.ellipse(at(-9, -9, 9, 9), outline=ink, width=2 * _SS)
        draw.ellipse(at(-4.6, -4, -2, -1.4), fill=ink)
        draw.ellipse(at(2, -4, 4.6, -1.4), fill=ink)
        draw.arc(at(-5, -4, 5, 5.5), 15, 165, fill=ink, width=2 * _SS)
