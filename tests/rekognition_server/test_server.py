"""Does the server behave as the service is documented to? Asked by boto3's own client, and by hand where that is too good."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import cv2
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.cast import CAST, portrait
from tests.rekognition_server import ACCESS_KEY, RekognitionServer, answered

ANN, BEN = CAST[0], CAST[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RekognitionServer]:
    with RekognitionServer(tmp_path) as server:
        yield server


@pytest.fixture
def client(server: RekognitionServer) -> Iterator[Any]:
    client: Any = boto3.Session().client(
        "rekognition",
        region_name="eu-west-1",
        endpoint_url=server.url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}),
    )
    client.create_collection(CollectionId="class")
    yield client
    client.close()


def picture(*images: Any, ending: str = ".jpg") -> dict[str, bytes]:
    """Pictures side by side, as a request holds them."""
    height = max(image.shape[0] for image in images)
    padded = [
        cv2.copyMakeBorder(
            image, 0, height - image.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=(200, 200, 200)
        )
        for image in images
    ]
    return {"Bytes": cv2.imencode(ending, np.hstack(padded))[1].tobytes()}


def code_of(failure: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response: Any = failure.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def post(
    server: RekognitionServer, target: str, body: Any, signed: bool = True
) -> tuple[int, dict[str, Any]]:
    """A request made by hand."""
    scope = f"{ACCESS_KEY}/20261121/eu-west-1/rekognition/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    headers = {"X-Amz-Target": target, **({"Authorization": signature} if signed else {})}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request("POST", "/", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_face_is_indexed_under_its_name_and_found_again(client: Any) -> None:
    indexed = client.index_faces(CollectionId="class", Image=picture(portrait(ANN)), ExternalImageId="S1")
    found = client.search_faces_by_image(
        CollectionId="class", Image=picture(portrait(ANN, 400), ending=".png"), FaceMatchThreshold=90
    )
    assert indexed["FaceRecords"][0]["Face"]["ExternalImageId"] == "S1"
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]] == [
        indexed["FaceRecords"][0]["Face"]["FaceId"]
    ]
    assert client.describe_collection(CollectionId="class")["FaceCount"] == 1


def test_the_threshold_and_the_number_of_matches_are_kept_to(client: Any) -> None:
    for person in (ANN, BEN):
        client.index_faces(CollectionId="class", Image=picture(portrait(person)))
    search = {"CollectionId": "class", "Image": picture(portrait(ANN))}
    assert len(client.search_faces_by_image(**search)["FaceMatches"]) == 1  # the default is 80
    assert len(client.search_faces_by_image(**search, FaceMatchThreshold=0)["FaceMatches"]) == 2
    assert len(client.search_faces_by_image(**search, FaceMatchThreshold=0, MaxFaces=1)["FaceMatches"]) == 1


def test_of_two_faces_the_larger_is_searched_and_both_are_indexed(client: Any) -> None:
    both = picture(portrait(ANN, 400), portrait(BEN, 640))
    assert len(client.index_faces(CollectionId="class", Image=both)["FaceRecords"]) == 2
    one = client.index_faces(CollectionId="class", Image=both, MaxFaces=1, ExternalImageId="B")
    assert len(one["FaceRecords"]) == 1
    assert one["UnindexedFaces"][0]["Reasons"] == ["EXCEEDS_MAX_FACES"]
    searched = client.search_faces_by_image(CollectionId="class", Image=both)["SearchedFaceBoundingBox"]
    assert searched["Left"] > 0.4  # Ben's half


def test_no_face_is_an_error_of_one_search_and_an_empty_answer_of_the_other(client: Any) -> None:
    wall = picture(np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(ClientError, match="There are no faces in the image") as failure:
        client.search_faces_by_image(CollectionId="class", Image=wall)
    assert code_of(failure) == ("InvalidParameterException", 400)
    answer = client.search_users_by_image(CollectionId="class", Image=wall)
    assert answer["UserMatches"] == []
    assert "SearchedFace" not in answer


def test_users_are_searched_by_the_faces_they_have(client: Any) -> None:
    face = client.index_faces(CollectionId="class", Image=picture(portrait(ANN)))["FaceRecords"][0]["Face"]
    search = {"CollectionId": "class", "Image": picture(portrait(ANN, 400))}
    client.create_user(CollectionId="class", UserId="S1")
    assert client.search_users_by_image(**search)["UserMatches"] == []
    client.associate_faces(CollectionId="class", UserId="S1", FaceIds=[face["FaceId"]])
    assert client.search_users_by_image(**search)["UserMatches"][0]["User"]["UserId"] == "S1"


def test_a_face_that_does_not_resemble_a_user_s_is_not_associated(client: Any) -> None:
    faces = [
        client.index_faces(CollectionId="class", Image=picture(portrait(person)))["FaceRecords"][0]["Face"]
        for person in (ANN, BEN)
    ]
    client.create_user(CollectionId="class", UserId="S1")
    client.associate_faces(CollectionId="class", UserId="S1", FaceIds=[faces[0]["FaceId"]])
    answer = client.associate_faces(
        CollectionId="class", UserId="S1", FaceIds=[faces[1]["FaceId"]], UserMatchThreshold=95
    )
    assert answer["AssociatedFaces"] == []
    assert answer["UnsuccessfulFaceAssociations"][0]["Reasons"] == ["LOW_MATCH_CONFIDENCE"]


def test_a_face_of_a_user_is_not_deleted(client: Any) -> None:
    face = client.index_faces(CollectionId="class", Image=picture(portrait(ANN)))["FaceRecords"][0]["Face"]
    client.create_user(CollectionId="class", UserId="S1")
    client.associate_faces(CollectionId="class", UserId="S1", FaceIds=[face["FaceId"]])
    kept = client.delete_faces(CollectionId="class", FaceIds=[face["FaceId"]])["UnsuccessfulFaceDeletions"]
    assert kept[0]["Reasons"] == ["ASSOCIATED_TO_AN_EXISTING_USER"]
    client.delete_user(CollectionId="class", UserId="S1")
    assert client.delete_faces(CollectionId="class", FaceIds=[face["FaceId"]])["DeletedFaces"] == [
        face["FaceId"]
    ]


def test_the_same_picture_under_the_same_name_is_stored_once(client: Any) -> None:
    once = [
        client.index_faces(CollectionId="class", Image=picture(portrait(ANN)), ExternalImageId="S1")
        for _ in range(2)
    ]
    assert len({answer["FaceRecords"][0]["Face"]["FaceId"] for answer in once}) == 1
    client.index_faces(CollectionId="class", Image=picture(portrait(ANN)), ExternalImageId="S2")
    assert len(client.list_faces(CollectionId="class")["Faces"]) == 2


def test_a_list_is_paged(client: Any, server: RekognitionServer) -> None:
    for person in CAST[:3]:
        client.index_faces(CollectionId="class", Image=picture(portrait(person)))
    pages = list(client.get_paginator("list_faces").paginate(CollectionId="class", MaxResults=2))
    assert [len(page["Faces"]) for page in pages] == [2, 1]
    with pytest.raises(ClientError) as failure:
        client.list_faces(CollectionId="class", NextToken="of somebody else")
    assert code_of(failure) == ("InvalidPaginationTokenException", 400)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (picture(np.zeros((79, 200, 3), np.uint8)), "InvalidParameterException"),
        ({"Bytes": b"GIF89a not taken"}, "InvalidImageFormatException"),
        ({"Bytes": b"\xff\xd8" + b"\0" * 5_242_880}, "ValidationException"),
    ],
    ids=["small", "no-jpeg", "5MB"],
)
def test_pictures_beyond_the_limits_are_refused(client: Any, image: dict[str, bytes], code: str) -> None:
    with pytest.raises(ClientError) as failure:
        client.detect_faces(Image=image)
    assert code_of(failure)[0] == code


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("RekognitionService.ListFaces", {}, "ValidationException"),  # CollectionId is required
        ("RekognitionService.ListFaces", {"CollectionId": "a b"}, "ValidationException"),
        ("RekognitionService.ListFaces", {"CollectionId": "a", "MaxResults": 4097}, "ValidationException"),
        ("RekognitionService.ListFaces", {"CollectionId": "a", "MaxResults": "x"}, "ValidationException"),
        (
            "RekognitionService.DeleteFaces",
            {"CollectionId": "a", "FaceIds": ["ghost"]},
            "ValidationException",
        ),
        (
            "RekognitionService.DetectFaces",
            {"Image": {"Bytes": ""}, "Attributes": ["HAT"]},
            "ValidationException",
        ),
        ("RekognitionService.ListFaces", {"Colection": "a"}, "SerializationException"),
        ("RekognitionService.DetectFaces", {"Image": {"Bytes": "%"}}, "SerializationException"),
        ("RekognitionService.Recognise", {}, "UnknownOperationException"),
        ("Polly.ListFaces", {}, "UnknownOperationException"),
    ],
)
def test_what_the_model_forbids_is_refused(
    server: RekognitionServer, target: str, body: dict[str, Any], code: str
) -> None:
    status, answer = post(server, target, body)
    assert (status, answer["__type"]) == (400, code)
    assert server.requests == []


def test_an_unsigned_request_is_refused(server: RekognitionServer) -> None:
    status, answer = post(server, "RekognitionService.ListFaces", {"CollectionId": "class"}, signed=False)
    assert (status, answer["__type"]) == (400, "MissingAuthenticationTokenException")


def test_an_answer_that_the_model_forbids_is_the_server_s_mistake(server: RekognitionServer) -> None:
    server.faults.add("ListFaces", answered({"Faces": [{"FaceId": "ghost"}]}))
    status, answer = post(server, "RekognitionService.ListFaces", {"CollectionId": "class"})
    assert (status, answer["__type"]) == (418, "ServerMistake")
    assert "ghost" in answer["message"]


def test_a_request_with_the_same_token_is_carried_out_once(client: Any) -> None:
    for _ in range(2):
        client.create_user(CollectionId="class", UserId="S1", ClientRequestToken="once")
    with pytest.raises(ClientError) as failure:
        client.create_user(CollectionId="class", UserId="S1")
    assert code_of(failure) == ("ConflictException", 400)


def test_a_collection_is_made_once(client: Any) -> None:
    with pytest.raises(ClientError) as failure:
        client.create_collection(CollectionId="class")
    assert code_of(failure) == ("ResourceAlreadyExistsException", 400)
