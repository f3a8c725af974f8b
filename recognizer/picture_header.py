"""What a picture file says of itself, read before anything of it is decoded: a small file can unpack to gigabytes."""

import re
from dataclasses import dataclass
from math import ceil

from recognizer.errors import PhotoError

__all__ = ["JPEG", "Header", "check_picture", "read_header", "too_large"]

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
"""How a JPEG file begins."""
KINDS = "give a JPEG, PNG or WebP picture"

SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends the coded part of a JPEG: a marker that is neither an escaped byte nor a restart (ITU T.81, B.1.1)."""
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin a JPEG's frame and hold its size."""

OTHERS = re.compile(rb"%PDF-|<!doctype|<html|<script|<\?php|<svg", re.IGNORECASE)
START = 1024
"""Where programs look for what a file is."""
ZIP_END = re.compile(rb"PK\x05\x06.{16}(..)", re.DOTALL)
LONGEST_ZIP_END = 65557
"""The last record of a ZIP archive, with the longest remark that it can have; it closes the file."""


@dataclass(frozen=True, slots=True)
class Header:
    """`kind`: `JPEG`, `PNG` or `WebP`. `end`: where in the file the picture ends, in bytes. `moves`: it has several frames."""

    kind: str
    width: int
    height: int
    end: int
    moves: bool = False


def check_picture(content: bytes, name: str, max_bytes: int, max_pixels: int) -> Header:
    """Refuse what should not be decoded: other types, too large, cut short, moving, or another file besides.

    What a file is called says nothing of what it is. Raises PhotoError with a line for whoever hands it in.
    """
    if len(content) > max_bytes:
        raise too_large(name, len(content), max_bytes)
    header = read_header(content, name)
    if header.width * header.height > max_pixels:
        raise PhotoError(
            f"{name} has {header.width}×{header.height} pixels; give a picture of at most {max_pixels / 1e6:g} megapixels"
        )
    if header.moves:
        raise PhotoError(f"{name} is a moving picture; give one that stands still")
    if _is_another(content) or not _is_harmless(header.kind, content[header.end :]):
        raise PhotoError(f"{name} is a picture and another file at once; save the picture anew and give that")
    return header


def too_large(name: str, size: int, max_bytes: int) -> PhotoError:
    """The refusal of a file of `size` bytes. Rounded up, so that it never has just what is allowed."""
    return PhotoError(
        f"{name} has {ceil(size / 1e5) / 10} MB; give a picture of at most {max_bytes / 1e6:g} MB"
    )


def read_header(content: bytes, name: str) -> Header:
    """Type, size and end of a picture file. Raises PhotoError for what is none of the types, or is cut short."""
    if not content:
        raise PhotoError(f"{name} is empty; {KINDS}")
    try:
        if content.startswith(PNG):
            return _png(content)
        if content.startswith(JPEG):
            return _jpeg(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp(content)
    except (IndexError, ValueError) as error:
        raise PhotoError(f"{name} is damaged or cut short; give the whole picture") from error
    raise PhotoError(f"{name} is no picture that is known here; {KINDS}")


def _png(content: bytes) -> Header:
    place, moves, size = len(PNG), False, (0, 0)
    while True:
        length, kind = _big(content, place, 4), content[place + 4 : place + 8]
        if kind == b"IHDR":
            size = _big(content, place + 8, 4), _big(content, place + 12, 4)
        moves = moves or kind == b"acTL"
        place += 12 + length
        if kind == b"IEND":
            break
    return _checked(Header("PNG", *size, place, moves), content)


def _jpeg(content: bytes) -> Header:
    place, size = 2, (0, 0)
    while True:
        if content[place] != 0xFF:
            raise ValueError("no marker")
        marker = content[place + 1]
        if marker == 0xFF:  # a filling byte
            place += 1
            continue
        if marker == 0xD9:
            return _checked(Header("JPEG", *size, place + 2), content)
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
            continue
        if marker in FRAMES:
            size = _big(content, place + 7, 2), _big(content, place + 5, 2)
        place += 2 + _big(content, place + 2, 2)
        if marker == 0xDA:
            found = SCAN_END.search(content, place)
            if found is None:
                raise ValueError("no end")
            place = found.start()


def _webp(content: bytes) -> Header:
    end = 8 + _little(content, 4, 4)
    if end > len(content):
        raise ValueError("cut short")
    place, moves, width, height = 12, False, 0, 0
    while place + 8 <= end:
        kind, length, body = content[place : place + 4], _little(content, place + 4, 4), place + 8
        found = (0, 0)
        if kind == b"VP8X":
            moves = moves or bool(content[body] & 2)
            found = 1 + _little(content, body + 4, 3), 1 + _little(content, body + 7, 3)
        elif kind == b"VP8 ":
            found = _little(content, body + 6, 2) & 0x3FFF, _little(content, body + 8, 2) & 0x3FFF
        elif kind == b"VP8L":
            bits = _little(content, body + 1, 4)
            found = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        moves = moves or kind in {b"ANIM", b"ANMF"}
        width, height = max(width, found[0]), max(height, found[1])
        place = body + length + length % 2
    return _checked(Header("WebP", width, height, end, moves), content)


def _checked(header: Header, content: bytes) -> Header:
    if header.end > len(content) or not header.width or not header.height:
        raise ValueError("cut short")
    return header


def _is_another(content: bytes) -> bool:
    """Whether programs would also take the file for a document, a page or an archive."""
    if OTHERS.search(content, 0, START):
        return True
    tail = content[-LONGEST_ZIP_END:]
    return any(
        found.end() + int.from_bytes(found[1], "little") == len(tail) for found in ZIP_END.finditer(tail)
    )


def _is_harmless(kind: str, rest: bytes) -> bool:
    """Whether what follows the picture is nothing, or what phones put there: more pictures, a second of film, a note."""
    if not rest.strip(b"\0"):
        return True
    return kind == "JPEG" and (
        rest.startswith(JPEG) or rest[4:8] == b"ftyp" or rest.endswith((b"SEFT", b"\xff\xd9"))
    )


def _big(content: bytes, place: int, length: int) -> int:
    return int.from_bytes(_part(content, place, length), "big")


def _little(content: bytes, place: int, length: int) -> int:
    return int.from_bytes(_part(content, place, length), "little")


def _part(content: bytes, place: int, length: int) -> bytes:
    part = content[place : place + length]
    if len(part) != length:
        raise IndexError("cut short")
    return part
