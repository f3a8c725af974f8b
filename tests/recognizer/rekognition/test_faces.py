"""Faces and users in the collection over real HTTP: indexed, listed, removed, and what the service thinks of a photograph."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from demo.cast import CAST
from recognizer.engine import Probe
from recognizer.errors import EngineError, PhotoError
from recognizer.observation import FaceCrop
from recognizer.rekognition import RekognitionEngine
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.recognizer.rekognition.conftest import Account, Open, beside_ben, plain
from tests.rekognition_server import (
    RekognitionServer,
    answered,
    lost,
    refused,
)


def test_an_answer_lost_after_indexing_does_not_index_the_face_twice(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add("IndexFaces", lost())
    ann = engine.index(crop_of(ANN), "S1")[0]
    assert [face.face_id for face in engine.faces()] == [ann.face_id]


def test_a_photograph_without_a_face_is_refused_in_words(engine: RekognitionEngine) -> None:
    with pytest.raises(PhotoError, match="student S1: no face can be seen"):
        engine.index(plain(), "S1")
    assert list(engine.faces()) == []


def test_a_photograph_in_the_dark_is_refused_in_words(engine: RekognitionEngine) -> None:
    crop = crop_of(ANN)
    dark = FaceCrop(np.asarray(crop.image // 5, np.uint8), crop.box_xyxy)
    with pytest.raises(PhotoError, match="too dark"):
        engine.index(dark, "S1")
    assert list(engine.faces()) == []


def test_a_face_that_is_not_the_one_meant_is_taken_out_again(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    with pytest.raises(PhotoError, match="another face first"):
        engine.index(beside_ben()[0], "S1")
    assert list(engine.faces()) == []


def test_a_long_list_is_read_page_by_page(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.operations.page_size = 2
    ids = {engine.index(crop_of(person), person.student_no)[0].face_id for person in CAST[:5]}
    assert {face.face_id for face in engine.faces()} == ids
    assert len(rekognition_server.asked("ListFaces")) == 3
    assert engine.remove(ids) == ids
    assert list(engine.faces()) == []


def test_more_faces_than_a_call_takes_are_removed_in_batches(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    ghosts = [f"00000000-0000-4000-8000-{number:012d}" for number in range(5000)]
    assert engine.remove([*ghosts, ann.face_id]) == {ann.face_id}
    assert [len(one.parameters["FaceIds"]) for one in rekognition_server.asked("ListFaces")] == [4096, 905]


def test_a_face_that_the_service_keeps_is_not_told_to_be_gone(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    ann, ben = (engine.index(crop_of(one), one.student_no)[0].face_id for one in (ANN, BEN))
    kept = [{"FaceId": ann, "UserId": "S1", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]}]
    rekognition_server.faults.add(
        "DeleteFaces", answered({"DeletedFaces": [ben], "UnsuccessfulFaceDeletions": kept})
    )
    with pytest.raises(EngineError, match=f"did not remove 1 of 2 faces: {ann}.*ASSOCIATED") as failure:
        engine.remove([ann, ben])
    assert failure.value.transient
    assert engine.remove([ann, ben]) == {ann, ben}


def test_a_face_is_reported_removed_though_the_answer_was_lost(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    rekognition_server.faults.add("DeleteFaces", lost())
    assert engine.remove([ann.face_id]) == {ann.face_id}


def test_a_face_that_joined_a_user_is_removed_by_an_engine_that_searches_faces(open_engine: Open) -> None:
    ann = open_engine(search="users").index(crop_of(ANN), "S1")[0]
    faces = open_engine(search="faces")
    assert faces.remove([ann.face_id]) == {ann.face_id}
    assert list(faces.faces()) == []


# -------------------------------------------------------------------- users


@pytest.fixture
def users(open_engine: Open) -> RekognitionEngine:
    return open_engine(search="users")


def members(server: RekognitionServer) -> dict[str, int]:
    """Users of the collection and how many faces each has, asked of the service."""
    listed = server.operations("ListUsers", {"CollectionId": "gridroll"})["Users"]
    return {
        one["UserId"]: len(
            server.operations("ListFaces", {"CollectionId": "gridroll", "UserId": one["UserId"]})["Faces"]
        )
        for one in listed
    }


def test_photographs_of_a_student_join_one_user(
    users: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    users.index(crop_of(ANN), "S/1")
    users.index(crop_of(ANN, 300, 9), "S/1")
    users.index(crop_of(BEN), "S2")
    assert members(rekognition_server) == {"S:2F1": 2, "S2": 1}


def test_somebody_else_s_photograph_does_not_join_and_does_not_stay(
    users: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    users.index(crop_of(ANN), "S1")
    refusal = {
        "UserId": "S1",
        "Confidence": 41.0,
        "Reasons": ["LOW_MATCH_CONFIDENCE"],
    }
    rekognition_server.faults.add("AssociateFaces", answered({"UnsuccessfulFaceAssociations": [refusal]}))
    with pytest.raises(EngineError, match=r"does not resemble the others of student S1 \(41 %, 75 needed\)"):
        users.index(crop_of(CID), "S1")
    assert len(list(users.faces())) == 1
    assert members(rekognition_server) == {"S1": 1}


def test_a_student_whose_first_photograph_does_not_join_leaves_no_user(
    users: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add("AssociateFaces", refused("AccessDeniedException"))
    with pytest.raises(EngineError, match="rekognition:AssociateFaces"):
        users.index(crop_of(ANN), "S1")
    assert list(users.faces()) == []
    assert members(rekognition_server) == {}


def test_a_face_that_cannot_be_taken_back_is_named(
    users: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add("AssociateFaces", refused("AccessDeniedException"))
    rekognition_server.faults.add("DeleteFaces", refused("AccessDeniedException"))
    with pytest.raises(EngineError, match=r"AssociateFaces.*face [0-9a-f-]{36} is still in the collection"):
        users.index(crop_of(ANN), "S1")
    assert len(list(users.faces())) == 1


def test_a_user_goes_with_the_last_face_for_nothing(
    users: RekognitionEngine, rekognition_server: RekognitionServer, account: Account
) -> None:
    first = users.index(crop_of(ANN), "S1")[0]
    second = users.index(crop_of(ANN, 300, 9), "S1")[0]
    users.remove([first.face_id])
    assert members(rekognition_server) == {"S1": 1}
    assert len(account.of("DisassociateFaces")) == 1
    users.remove([second.face_id])
    assert members(rekognition_server) == {}
    assert len(account.of("DisassociateFaces")) == 1


def test_a_user_still_being_changed_is_asked_again(
    users: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add("AssociateFaces", refused("ConflictException"))
    users.index(crop_of(ANN), "S1")
    assert members(rekognition_server) == {"S1": 1}


def test_faces_of_before_users_were_searched_get_theirs(
    open_engine: Open, rekognition_server: RekognitionServer
) -> None:
    ann = open_engine(search="faces").index(crop_of(ANN), "S1")[0]
    users = open_engine(search="users")
    assert members(rekognition_server) == {"S1": 1}
    assert [one.face_id for one in users.search([Probe(crop_of(ANN))])[0].candidates] == [ann.face_id]


def test_a_user_that_another_program_made_is_recognised_at_once(open_engine: Open) -> None:
    one, other = open_engine(search="users"), open_engine(search="users")
    one.index(crop_of(BEN), "S2")
    assert len(other.search([Probe(crop_of(ANN))])[0].candidates) == 1
    ann = one.index(crop_of(ANN), "S1")[0]
    assert other.search([Probe(crop_of(ANN))])[0].candidates[0].face_id == ann.face_id


# ------------------------------------------------------------------ quality


@pytest.mark.parametrize(
    ("spoil", "objection"),
    [
        (lambda image: image // 5, "too dark"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 2.5), "blurred"),
        (lambda image: np.full_like(image, 255), "no face can be seen"),
    ],
    ids=["dark", "blurred", "empty"],
)
def test_a_poor_photograph_meets_an_objection_the_person_understands(
    engine: RekognitionEngine, spoil: Callable[[Any], Any], objection: str
) -> None:
    crop = crop_of(ANN)
    said = engine.objection(FaceCrop(np.asarray(spoil(crop.image), np.uint8), crop.box_xyxy))
    assert said is not None
    assert objection in said
