import cv2
import numpy as np
import pytest

from demo import webcam
from demo.cast import CAST
from recognizer.cascade import to_gray
from recognizer.observation import Box, Gray, Image
from screen_agent.change import ALIGNED
from screen_agent.detectors import HaarDetector
from screen_agent.signature import aligned_likeness, face_patch

WIDTH, HEIGHT = 376, 211


def tile(person: int, at_s: float = 10.0) -> Gray:
    """A member of the cast, everybody before the same wall."""
    picture: Image = np.asarray(webcam.take(CAST[person].seed, 1, at_s, WIDTH, HEIGHT), np.uint8)
    return to_gray(picture)


def face_of(gray: Gray) -> Box:
    box = HaarDetector().in_tile(gray)
    assert box is not None
    return box


def changed(gray: Gray, turned: float, scaled: float, right: float, light: float, quality: int) -> Gray:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turned, scaled)
    matrix[0, 2] += right
    moved = cv2.warpAffine(gray, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    lit = np.clip(moved * light, 0, 255).astype(np.uint8)
    _, coded = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


@pytest.mark.parametrize(
    ("turned", "scaled", "right", "light", "quality"),
    [
        (0, 1, 0, 1, 60),  # recompressed
        (5, 1, 0, 1, 80),  # from one end of a sway to the other
        (0, 1.06, 8, 1.06, 80),  # nearer, aside, brighter
        (-4, 0.94, -8, 0.94, 70),
    ],
)
@pytest.mark.parametrize("larger", [-0.12, 0.0, 0.12])
def test_a_face_is_found_again_moved_turned_lit_and_boxed_otherwise(
    turned: float, scaled: float, right: float, light: float, quality: int, larger: float
) -> None:
    before = tile(3)
    x1, y1, x2, y2 = face_of(before)
    after = changed(before, turned, scaled, right, light, quality)
    grown = round(larger * (x2 - x1) / 2)
    box = (x1 - grown, y1 - grown, x2 + grown, y2 + grown)
    assert aligned_likeness(face_patch(before, (x1, y1, x2, y2)), after, box) >= ALIGNED


def test_nobody_else_before_the_same_wall_is_taken_for_a_face() -> None:
    faces = [(gray, face_of(gray)) for gray in map(tile, range(len(CAST)))]
    alike = [
        aligned_likeness(face_patch(*one), *other)
        for index, one in enumerate(faces)
        for other in faces[:index] + faces[index + 1 :]
    ]
    assert max(alike) < ALIGNED


def test_a_face_is_not_squeezed_until_it_fits() -> None:
    gray = tile(3)
    x1, y1, x2, y2 = face_of(gray)
    patch = face_patch(gray, (x1, y1, x2, y2))
    wide = cv2.resize(gray, None, fx=1.2, fy=1.0)
    left = round(0.6 * (x1 + x2) - (x2 - x1) / 2)
    box = (left, y1, left + x2 - x1, y2)
    assert aligned_likeness(patch, np.asarray(wide, np.uint8), box) == 0


@pytest.mark.parametrize("level", [0, 128])
def test_a_plain_picture_is_like_nothing(level: int) -> None:
    gray = tile(3)
    box = face_of(gray)
    plain = np.full_like(gray, level)
    assert aligned_likeness(face_patch(gray, box), plain, box) == 0
    assert aligned_likeness(face_patch(plain, box), gray, box) == 0


def test_a_face_at_the_rim_of_the_frame_is_found_again() -> None:
    gray = tile(3)
    x1, y1, x2, y2 = face_of(gray)
    cut = np.ascontiguousarray(gray[y1:y2, x1:x2])
    assert aligned_likeness(face_patch(gray, (x1, y1, x2, y2)), cut, (0, 0, x2 - x1, y2 - y1)) >= ALIGNED
