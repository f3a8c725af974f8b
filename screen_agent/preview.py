"""The last look as a picture, with boxes and names."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from recognizer.observation import Image, SeenFace
from screen_agent.errors import AgentError
from screen_agent.watcher import LookReport

__all__ = ["draw_preview", "write_preview"]

NAMED, ASKED, UNNAMED = (74, 222, 128), (250, 204, 21), (248, 113, 113)
"""Red, green, blue: a known face, one being asked about, one nobody knows."""


def draw_preview(report: LookReport) -> Image:
    """The look's frame with a box and a name around each head, and the count in the corner."""
    canvas = PillowImage.fromarray(cv2.cvtColor(report.settled.frame.image, cv2.COLOR_BGR2RGB))
    draw = ImageDraw.Draw(canvas, "RGBA")
    receipt = report.receipt
    for face in report.observation.faces:
        label, colour = _label(face, receipt.names, receipt.wanted)
        _box(draw, face.box_xyxy, label, colour)
    heads = "head" if receipt.headcount == 1 else "heads"
    text = f"{receipt.headcount} {heads}   {receipt.identified} identified   {receipt.unknown} unknown"
    _tag(
        draw,
        (canvas.width // 2, 10),
        f"{text}   {report.observation.taken_at:%H:%M:%S} UTC",
        (226, 232, 240),
        18,
    )
    return cv2.cvtColor(np.asarray(canvas, np.uint8), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def write_preview(path: Path, report: LookReport) -> None:
    """Write the preview as PNG; whoever reads the file meanwhile sees the old one or the new one, whole.

    Raises AgentError where the file cannot be written.
    """
    encoded, content = cv2.imencode(".png", draw_preview(report), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not encoded:
        raise AgentError(f"preview {path} cannot be encoded")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content.tobytes())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise AgentError(
            f"preview {path} cannot be written: {error.strerror}; name a PNG in a folder that exists"
        ) from error


def _label(
    face: SeenFace, names: Mapping[str, str], wanted: frozenset[str]
) -> tuple[str, tuple[int, int, int]]:
    if face.track in names:
        return names[face.track], NAMED
    return ("looking again", ASKED) if face.track in wanted else ("unknown", UNNAMED)


def _box(
    draw: ImageDraw.ImageDraw, box_xyxy: tuple[int, int, int, int], label: str, colour: tuple[int, int, int]
) -> None:
    x1, y1, x2, y2 = box_xyxy
    draw.rounded_rectangle((x1, y1, x2, y2), radius=8, outline=colour, width=3)
    _tag(draw, ((x1 + x2) // 2, max(0, y1 - 26)), label, colour, 15)


def _tag(
    draw: ImageDraw.ImageDraw,
    top_middle: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    size_px: int,
) -> None:
    font = _font(size_px)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, height = round(right - left) + 14, round(bottom - top) + 10
    x, y = top_middle[0] - width // 2, top_middle[1]
    draw.rounded_rectangle((x, y, x + width, y + height), radius=6, fill=(15, 23, 42, 220))
    draw.text((x + 7 - left, y + 5 - top), text, font=font, fill=colour)


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
