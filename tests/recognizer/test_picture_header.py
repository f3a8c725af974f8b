"""What is refused before anything is decoded: wrong types, bombs, cut, moving and double files."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from recognizer.errors import PhotoError
from recognizer.picture import clean_jpeg, decode_picture
from recognizer.picture_header import check_picture, read_header

MAX_BYTES, MAX_PIXELS = 1_000_000, 1_000_000


def picture(kind: str, width: int = 64, height: int = 48, **options: object) -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8)
    target = io.BytesIO()
    Image.fromarray(noise).save(target, kind, **options)
    return target.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def check(content: bytes) -> None:
    check_picture(content, "the photograph", MAX_BYTES, MAX_PIXELS)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (picture("JPEG"), "JPEG"),
        (picture("JPEG", progressive=True), "JPEG"),
        (picture("JPEG", restart_marker_rows=1), "JPEG"),
        (picture("JPEG", comment=b"x" * 3000), "JPEG"),
        (picture("PNG"), "PNG"),
        (picture("WEBP"), "WebP"),
        (picture("WEBP", lossless=True), "WebP"),
        (picture("WEBP", exif=b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0"), "WebP"),  # an extended file
    ],
)
def test_the_type_and_size_are_read_from_the_content(content: bytes, kind: str) -> None:
    header = read_header(content, "x")
    assert (header.kind, header.width, header.height) == (kind, 64, 48)
    assert header.end == len(content)
    check(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<html>", b"%PDF-1.7", os.urandom(500), picture("BMP"), picture("TIFF"), b"PK\x03\x04"],
)
def test_what_is_none_of_the_types_is_refused(content: bytes) -> None:
    with pytest.raises(PhotoError, match="JPEG, PNG or WebP"):
        check(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_wherever_a_file_is_cut_it_is_refused_and_nothing_else_happens(kind: str) -> None:
    content = picture(kind)
    for end in [*range(1, 60), *range(60, len(content) - 1, max(1, len(content) // 50))]:
        with pytest.raises(PhotoError):
            check(content[:end])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_moving_pictures_are_refused(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    target = io.BytesIO()
    frames[0].save(target, kind, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(PhotoError, match="moving"):
        check(target.getvalue())


def zipped() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("hidden.txt", "something else")
        archive.comment = b"a remark"
    return target.getvalue()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content + zipped(),
        lambda content: content + b"<html><script>alert(1)</script>",
        lambda content: content + os.urandom(3000),
        lambda content: content[:2] + b"\xff\xfe\x00\x10%PDF-1.7 trick" + content[2:],
        lambda content: content[:2] + b"\xff\xfe\x00\x10<script>alert(" + content[2:],
        lambda content: content + b"\xff\xd8\xff" + zipped(),
    ],
)
def test_a_picture_that_is_another_file_too_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PhotoError, match="another file at once"):
        check(spoil(picture("JPEG")))


@pytest.mark.parametrize("rest", [b"\0" * 20, b"\0\0\0\x18ftypmp42" + b"film", picture("JPEG")])
def test_what_phones_put_behind_a_picture_is_taken_and_left_behind(rest: bytes) -> None:
    content = picture("JPEG") + rest
    check(content)
    assert b"ftyp" not in clean_jpeg(content, "x", MAX_PIXELS)


def test_too_many_pixels_are_refused_from_the_header_alone() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    # Nothing of it could be decoded.
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(PhotoError, match="60000×60000 pixels; give a picture of at most 1 megapixels"):
        check(bomb)


def test_a_webp_cannot_say_one_size_outside_and_another_inside() -> None:
    content = bytearray(picture("WEBP", 2000, 600, exif=b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\0"))
    assert content[12:16] == b"VP8X"
    content[24:30] = b"\x3f\0\0\x2f\0\0"  # 64 by 48
    with pytest.raises(PhotoError, match="2000×600"):
        check(bytes(content))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(PhotoError, match=r"1\.1 MB; give a picture of at most 1 MB"):
        check(picture("PNG") + b"\0" * MAX_BYTES)


def test_whatever_is_changed_in_a_file_gives_a_picture_or_one_clear_line() -> None:
    rng, refused = np.random.default_rng(11), set[str]()
    for kind in ("JPEG", "PNG", "WEBP"):
        original = picture(kind, 40, 30)
        for _ in range(150):
            content = bytearray(original)
            for place in rng.integers(0, len(content), 4):
                content[place] = rng.integers(0, 256)
            try:
                check(bytes(content))
                decode_picture(bytes(content), "the photograph", MAX_PIXELS)
            except PhotoError as error:
                refused.add(str(error))
    assert refused
    assert not any("\n" in line for line in refused)
