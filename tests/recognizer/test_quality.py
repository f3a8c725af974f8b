from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from demo.cast import CAST, Person, portrait
from recognizer.errors import PhotoError
from recognizer.observation import FaceCrop, Image
from recognizer.photo import check_photo, find_faces, open_photo, read_photo
from recognizer.quality import Quality, findings, measure, pose
from tests.recognizer.conftest import ANN

LIMITS = {"max_bytes": 10_000_000, "max_pixels": 40_000_000}


def faults(image: Image) -> list[str]:
    return [finding.fault for finding in findings(FaceCrop(image, find_faces(image)[0]))]


def scaled(image: Image, factor: float) -> Image:
    return np.asarray(np.clip(image.astype(np.float32) * factor, 0, 255), np.uint8)


def shaken(image: Image, pixels: int) -> Image:
    return np.asarray(cv2.filter2D(image, -1, np.full((1, pixels), 1 / pixels, np.float32)), np.uint8)


def blurred(image: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def turned(image: Image, degrees: float) -> Image:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


@pytest.mark.parametrize("height_px", [280, 400, 640])
@pytest.mark.parametrize("person", CAST, ids=lambda person: person.name)
def test_nothing_is_wrong_with_a_good_photograph_of_anybody(person: Person, height_px: int) -> None:
    image = portrait(person)
    assert faults(np.asarray(cv2.resize(image, (height_px * 4 // 5, height_px)), np.uint8)) == []


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (scaled(portrait(ANN), 0.2), "dark"),
        (scaled(portrait(ANN), 3.0), "bright"),
        (blurred(portrait(ANN), 6), "blurred"),
        (shaken(portrait(ANN), 41), "blurred"),
        (turned(portrait(ANN), 35), "tilted"),
        # Both are wrong; light is what photographs lack most often.
        (turned(scaled(portrait(ANN), 0.2), 33), "dark"),
        (np.asarray(cv2.resize(portrait(ANN), (112, 140)), np.uint8), "small"),
    ],
)
def test_the_most_useful_fault_of_a_bad_photograph_is_told_first(image: Image, fault: str) -> None:
    assert faults(image)[0] == fault


def test_a_refusal_is_a_sentence_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "dark.png"
    cv2.imwrite(str(path), scaled(portrait(ANN), 0.2))
    with pytest.raises(PhotoError) as error:
        check_photo(read_photo(path, **LIMITS), "dark.png")
    assert error.value.for_student == (
        "The photo is too dark: take it facing a window or a lamp, with no bright light behind."
    )
    assert str(error.value) == f"dark.png: {error.value.for_student}"


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photograph_that_lies_on_its_side_is_said_to(turns: int) -> None:
    content = cv2.imencode(".png", np.ascontiguousarray(np.rot90(portrait(ANN), turns)))[1].tobytes()
    with pytest.raises(PhotoError, match="lies on its side or upside down: turn it upright"):
        open_photo(content, "lying.png", LIMITS["max_pixels"])


def test_a_photograph_too_dark_to_find_the_face_is_called_dark() -> None:
    content = cv2.imencode(".png", scaled(portrait(ANN), 0.03))[1].tobytes()
    with pytest.raises(PhotoError) as error:
        check_photo(open_photo(content, "night.png", LIMITS["max_pixels"]), "night.png")
    assert error.value.fault == "dark"


# A head in distances of the eyes: their corners in the plane z = 0, the base of the nose in front of it and below.
HEAD = np.array([[0.7, 0, 0], [0.3, 0, 0], [-0.7, 0, 0], [-0.3, 0, 0], [0, 0.75, 0.5]])


def seen(yaw_deg: float = 0, roll_deg: float = 0) -> NDArray[np.float64]:
    y, r = np.radians(yaw_deg), np.radians(roll_deg)
    about_neck = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    in_picture = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray((HEAD @ (in_picture @ about_neck).T)[:, :2] * 60 + 200)


@pytest.mark.parametrize("roll_deg", [0, 20, -20])
@pytest.mark.parametrize(("yaw_deg", "expected"), [(0, 0.0), (20, 0.18), (35, 0.35), (-45, -0.5)])
def test_a_turned_head_is_measured_whatever_its_tilt(
    yaw_deg: float, expected: float, roll_deg: float
) -> None:
    yaw, pitch, roll = pose(seen(yaw_deg, roll_deg))
    assert yaw == pytest.approx(expected, abs=0.01)
    assert pitch > 0.7
    assert abs(roll - roll_deg) < 0.01


def good_photographs(folder: Path, pattern: str) -> list[Image]:
    images = [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(folder.glob(pattern))]
    return [image for image in images if len(find_faces(image)) == 1]


def test_few_photographs_of_real_people_are_refused(real_faces: Path) -> None:
    images = good_photographs(real_faces, "people/*/[01].jpg")
    images += good_photographs(real_faces, "strangers/*.jpg")
    refused = [found for image in images if (found := faults(image))]
    assert len(images) > 100
    assert len(refused) <= 0.02 * len(images), refused


@pytest.mark.parametrize(
    ("worse", "fault", "least"),
    [
        (lambda image: blurred(image, 5), "blurred", 0.95),
        (lambda image: blurred(image, 3), "blurred", 0.95),
        (lambda image: shaken(image, 13), "blurred", 0.85),
        (lambda image: scaled(image, 0.25), "dark", 0.95),
        (lambda image: scaled(image, 2.5), "bright", 0.9),
        (lambda image: turned(image, 38), "tilted", 0.9),
    ],
    ids=["out of focus", "blurred", "shaken", "dark", "bright", "tilted"],
)
def test_clearly_bad_photographs_of_real_people_are_refused(
    real_faces: Path, worse: object, fault: str, least: float
) -> None:
    images = [worse(image) for image in good_photographs(real_faces, "people/*/0.jpg")[:40]]  # type: ignore[operator]
    found = [box for image in images if (box := [(image, box) for box in find_faces(image)])]
    told = [any(one.fault == fault for one in findings(FaceCrop(*faces[0]))) for faces in found]
    assert len(told) >= 20
    assert np.mean(told) >= least


def test_measuring_tells_sharp_from_blurred_at_any_size() -> None:
    for height_px in (300, 640, 1000):
        image = np.asarray(cv2.resize(portrait(ANN), (height_px * 4 // 5, height_px)), np.uint8)
        soft = blurred(image, height_px / 100)
        box = find_faces(image)[0]
        assert measure(FaceCrop(image, box)).blur < 0.72 < 0.85 < measure(FaceCrop(soft, box)).blur


PERFECT = Quality(height_px=200, p5=60, p95=190, black=0, white=0, blur=0.5, yaw=0, pitch=0.76, roll_deg=0)


@pytest.mark.parametrize(
    ("change", "score"),
    [
        ({}, 1.0),
        ({"height_px": 90}, 0.5),  # half way between 60 and 120 pixels
        ({"p95": 105}, 0.5),
        ({"p5": 140}, 0.5),
        ({"black": 0.075}, 0.5),
        ({"white": 0.15}, 0.0),
        ({"blur": 0.725}, 0.5),
        ({"yaw": -0.165}, 0.5),
        ({"pitch": 0.59}, 0.5),
        ({"roll_deg": -28.0}, 0.0),
        ({"height_px": 30}, 0.0),  # would be refused
        ({"blur": 0.725, "yaw": 0.2475}, 0.25),  # the worst counts
    ],
)
def test_the_score_says_how_far_the_worst_property_is_from_refusal(
    change: dict[str, float], score: float
) -> None:
    assert replace(PERFECT, **change).score == pytest.approx(score)  # type: ignore[arg-type]
