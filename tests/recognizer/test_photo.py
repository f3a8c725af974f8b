import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.cast import CAST, Person, portrait
from recognizer.errors import PhotoError
from recognizer.photo import check_photo, open_photo, read_photo

LIMITS = {"max_bytes": 10_000_000, "max_pixels": 40_000_000}


def huge_png(side: int) -> bytes:
    """A few kilobytes that claim to be a picture of side × side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side + 1) * 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_the_one_face_of_a_photograph_is_found(photo: Callable[[Person], Path]) -> None:
    read = read_photo(photo(CAST[0]), **LIMITS)
    x1, y1, x2, y2 = read.face.box_xyxy
    height, width = read.face.image.shape[:2]
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height
    assert len(read.sha256) == 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no picture"),
        (b"%PDF-1.7 not a picture", "no picture"),
        (b"\xff\xd8\xff\xe0 cut short", "no picture|damaged"),
        (huge_png(30_000), "too many pixels; give a picture of at most 40 megapixels"),
        (huge_png(11_000), "too many pixels; give a picture of at most 40 megapixels"),
        (huge_png(7_000), "7000×7000 pixels; give a picture of at most 40 megapixels"),
    ],
)
def test_a_file_that_is_no_usable_picture_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=message) as error:
        read_photo(path, **LIMITS)
    assert "\n" not in str(error.value)


def test_a_small_file_that_unpacks_to_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(huge_png(60_000))
    tracemalloc.start()
    with pytest.raises(PhotoError, match=r"megapixels|too many pixels"):
        read_photo(path, **LIMITS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_photograph_without_a_face_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((400, 300, 3), 180, np.uint8))
    with pytest.raises(PhotoError, match="shows no face"):
        read_photo(tmp_path / "wall.png", **LIMITS)


def test_a_photograph_of_two_people_is_refused(tmp_path: Path) -> None:
    both = np.hstack([portrait(CAST[0]), portrait(CAST[1])])
    cv2.imwrite(str(tmp_path / "two.png"), both)
    with pytest.raises(PhotoError, match="shows 2 faces"):
        read_photo(tmp_path / "two.png", **LIMITS)


def test_a_face_too_small_to_know_again_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(
        str(tmp_path / "tiny.png"), cv2.resize(portrait(CAST[0]), (96, 120), interpolation=cv2.INTER_AREA)
    )
    with pytest.raises(PhotoError, match=r"too small \(only \d+ pixels high|shows no face"):
        check_photo(read_photo(tmp_path / "tiny.png", **LIMITS), "tiny.png")


def test_somebody_far_away_on_a_large_photograph_is_looked_at_in_full_size() -> None:
    picture = np.full((2400, 3200, 3), 190, np.uint8)
    picture[1000:1640, 1300:1812] = portrait(CAST[0])
    content = cv2.imencode(".jpg", picture)[1].tobytes()
    face = open_photo(content, "far.jpg", LIMITS["max_pixels"])
    check_photo(face, "far.jpg")
    _, top, _, bottom = face.face.box_xyxy
    assert bottom - top > 150
    assert face.face.image.shape[0] < 1000


def test_a_file_that_is_too_large_or_missing_is_refused(
    tmp_path: Path, photo: Callable[[Person], Path]
) -> None:
    with pytest.raises(PhotoError, match="give a picture of at most"):
        read_photo(photo(CAST[0]), max_bytes=1000, max_pixels=1_000_000)
    with pytest.raises(PhotoError, match="cannot be read"):
        read_photo(tmp_path / "none.jpg", **LIMITS)
    with pytest.raises(PhotoError, match="is no file"):
        read_photo(Path("/dev/zero"), **LIMITS)
    with pytest.raises(PhotoError, match="is no file name"):
        read_photo(tmp_path / "a\0b.jpg", **LIMITS)


def test_a_sideways_phone_picture_is_turned_upright(tmp_path: Path, photo: Callable[[Person], Path]) -> None:
    from PIL import Image

    upright = Image.open(photo(CAST[0]))
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90° clockwise to view"
    upright.rotate(90, expand=True).save(tmp_path / "phone.jpg", exif=exif)
    assert read_photo(tmp_path / "phone.jpg", **LIMITS).face.image.shape[0] > 500


def test_every_enrolment_photograph_of_real_people_has_one_face(real_faces: Path) -> None:
    refused = []
    for path in sorted((real_faces / "people").glob("*/0.jpg"))[:30]:
        try:
            read_photo(path, **LIMITS)
        except PhotoError as error:
            refused.append(str(error))
    # Some of these press photographs do show a second person.
    assert len(refused) <= 2, refused
