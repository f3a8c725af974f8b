"""Crops, student numbers, evidence and objections of the engine at Rekognition, without a service."""

import json
import re
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognizer.errors import EngineError
from recognizer.observation import Box, FaceCrop
from recognizer.rekognition.collection import decode_number, encode_number
from recognizer.rekognition.crops import Portrait, portrait_of
from recognizer.rekognition.evidence import KEPT, Evidence
from recognizer.rekognition.quality import objection_to, refusal_of


def noise(height: int, width: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def size_of(portrait: Portrait) -> tuple[int, int, int, int]:
    """Width and height of the picture and of the face on it, in pixels."""
    decoded = cv2.imdecode(np.frombuffer(portrait.content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    height, width = decoded.shape[:2]
    left, top, right, bottom = portrait.face
    return width, height, round((right - left) * width), round((bottom - top) * height)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((400, 400), (150, 150, 250, 250)),
        ((64, 60), (10, 10, 40, 40)),  # a tile of a 7×7 grid on a small window
        ((30, 22), (4, 4, 12, 12)),  # smaller than anybody can be recognised
        ((4000, 3000), (200, 200, 2900, 3900)),
        ((300, 300), (-20, -10, 80, 90)),  # a box that a detector put over the edge
        ((20, 2000), (5, 5, 12, 15)),  # a sliver
    ],
    ids=["ordinary", "small", "tiny", "huge", "over-the-edge", "sliver"],
)
def test_a_crop_meets_the_service_s_limits_whatever_it_was(shape: tuple[int, int], box: Box) -> None:
    portrait = portrait_of(FaceCrop(noise(*shape), box))
    width, height, face_width, face_height = size_of(portrait)
    assert min(width, height) >= 80
    assert max(width, height) <= 1280
    assert min(face_width, face_height) >= 40
    assert len(portrait.content) < 5 * 1024 * 1024
    assert portrait.content.startswith(b"\xff\xd8")  # JPEG


def test_a_crop_keeps_head_and_shoulders_and_leaves_the_rest_of_the_frame_out() -> None:
    width, height, face_width, face_height = size_of(
        portrait_of(FaceCrop(noise(1080, 1920), (900, 500, 1000, 600)))
    )
    assert (face_width, face_height) == (100, 100)
    assert (width, height) == (200, 230)


@pytest.mark.parametrize(
    "box",
    [(10, 10, 10, 40), (10, 40, 30, 20), (500, 10, 520, 30), (-40, 10, -5, 30)],
    ids=["no-width", "upside-down", "right-of-it", "left-of-it"],
)
def test_a_box_without_a_pixel_is_an_error(box: Box) -> None:
    with pytest.raises(EngineError, match="empty"):
        portrait_of(FaceCrop(noise(100, 100), box))


@pytest.mark.parametrize(
    ("box", "same"),
    [
        ({"Left": 0.4, "Top": 0.4, "Width": 0.2, "Height": 0.2}, True),
        ({"Left": 0.45, "Top": 0.5, "Width": 0.2, "Height": 0.2}, True),  # detectors differ
        ({"Left": 0.7, "Top": 0.4, "Width": 0.3, "Height": 0.3}, False),
        ({"Left": 0.4, "Top": -0.1, "Width": 0.2, "Height": 0.2}, False),
    ],
)
def test_a_reported_box_is_the_face_or_a_neighbour_s(box: dict[str, float], same: bool) -> None:
    assert Portrait(b"", (0.4, 0.4, 0.6, 0.6)).shows(box) is same


# ---------------------------------------------------------- student numbers


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10))
def test_any_student_number_survives_the_service_s_alphabet(number: str) -> None:
    encoded = encode_number(number)
    assert re.fullmatch(r"[a-zA-Z0-9_.\-:]{1,128}", encoded)
    assert decode_number(encoded) == number


@given(st.sets(st.text(alphabet="aA:%~2F", min_size=1, max_size=4), min_size=2, max_size=2))
def test_two_student_numbers_never_become_one(numbers: set[str]) -> None:
    assert len({encode_number(number) for number in numbers}) == 2


@pytest.mark.parametrize("number", ["", "é" * 22, "1" * 129])
def test_a_student_number_that_does_not_fit_is_refused_by_name(number: str) -> None:
    with pytest.raises(EngineError, match=f"student number '{number}' cannot be kept"):
        encode_number(number)


# ----------------------------------------------------------------- evidence


def after(*looks: float) -> float:
    """What looks of these similarities say together, in percent, each read back as the next look does."""
    evidence = Evidence()
    for similarity in looks:
        evidence = Evidence.from_bytes(evidence.with_look({"a": similarity}).to_bytes())
    assert evidence.looks == len(looks)
    return evidence.similarities["a"]


@given(st.floats(1, 99.9))
def test_one_look_is_believed_as_it_is(similarity: float) -> None:
    assert after(similarity) == pytest.approx(similarity, abs=0.01)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=6), st.randoms())
def test_the_order_of_looks_does_not_matter_and_more_likeness_never_harms(
    looks: list[float], random: Random
) -> None:
    shuffled = random.sample(looks, len(looks))
    assert after(*shuffled) == pytest.approx(after(*looks), abs=0.05)
    assert after(*looks[:-1], min(100.0, looks[-1] + 5)) >= after(*looks) - 0.01


def test_looks_that_agree_tell_more_than_one_and_a_bad_one_takes_it_back() -> None:
    assert after(96, 96) > 97 > after(92, 92) > 92
    assert after(99, 2) < 80


def test_who_is_missing_in_a_look_counts_as_unlike() -> None:
    evidence = Evidence().with_look({"a": 90.0}).with_look({"b": 60.0})
    assert evidence.similarities["a"] == pytest.approx(after(90, 0), abs=0.01)
    assert evidence.similarities["b"] == pytest.approx(after(0, 60), abs=0.01)


def test_evidence_keeps_the_best_and_stays_small() -> None:
    evidence = Evidence().with_look({f"{number:036d}": number / 10 for number in range(1000)})
    assert len(evidence.sums) == KEPT
    assert min(evidence.similarities.values()) == pytest.approx((1000 - KEPT) / 10)
    assert len(evidence.to_bytes()) < 2048


@pytest.mark.parametrize(
    "template",
    [
        b"",
        b"\x00\xff" * 258,  # the local engine's
        b"[]",
        b'{"looks":0,"sums":{}}',
        b'{"looks":1,"sums":[1]}',
        json.dumps({"looks": 1, "sums": {str(number): 1 for number in range(KEPT + 1)}}).encode(),
    ],
)
def test_a_template_that_is_not_evidence_is_an_error(template: bytes) -> None:
    with pytest.raises(EngineError, match="not this engine's"):
        Evidence.from_bytes(template)


# --------------------------------------------------------------- objections

GOOD = {
    "Confidence": 99.9,
    "Pose": {"Yaw": 3.0, "Pitch": -4.0, "Roll": 1.0},
    "Quality": {"Brightness": 60.0, "Sharpness": 80.0},
    "FaceOccluded": {"Value": False, "Confidence": 99.0},
    "Sunglasses": {"Value": False, "Confidence": 99.0},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Confidence": 70.0}, "hard to see"),
        ({"Pose": {"Yaw": -45.0, "Pitch": 0.0, "Roll": 0.0}}, "turned away"),
        ({"Pose": {"Yaw": 0.0, "Pitch": 40.0, "Roll": 0.0}}, "turned away"),
        ({"Quality": {"Brightness": 5.0, "Sharpness": 80.0}}, "too dark"),
        ({"Quality": {"Brightness": 99.0, "Sharpness": 80.0}}, "too bright"),
        ({"Quality": {"Brightness": 60.0, "Sharpness": 2.0}}, "blurred"),
        ({"FaceOccluded": {"Value": True, "Confidence": 99.0}}, "covers part of the face"),
        ({"Sunglasses": {"Value": True, "Confidence": 99.0}}, "sunglasses"),
    ],
)
def test_each_flaw_has_its_own_words(change: dict[str, Any], words: str) -> None:
    assert words in str(objection_to({**GOOD, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"FaceOccluded": {"Value": True, "Confidence": 60.0}},  # the service itself is not certain
        {"Quality": {"Brightness": 32.0, "Sharpness": 80.0}},  # dark skin in even light
    ],
)
def test_a_good_face_has_no_objection(change: dict[str, Any]) -> None:
    assert objection_to({**GOOD, **change}) is None


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (["SMALL_BOUNDING_BOX"], "from nearer by"),
        (["EXCEEDS_MAX_FACES", "LOW_SHARPNESS"], "blurred"),
        (["A_REASON_OF_TOMORROW"], "no face can be seen"),
    ],
)
def test_a_refusal_is_put_in_words(reasons: list[str], words: str) -> None:
    assert words in refusal_of([{"Reasons": reasons}])
