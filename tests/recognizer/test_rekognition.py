"""What is particular to the engine at Rekognition: faults, bills, rates, users. All over real HTTP."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import pytest

from db.errors import StoreError
from db.settings import Settings
from demo.cast import CAST
from recognizer.engine import Probe
from recognizer.errors import EngineError, PhotoError
from recognizer.metering import Call
from recognizer.observation import FaceCrop
from recognizer.rekognition import REKOGNITION, RekognitionEngine
from tests.conftest import free_port
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.rekognition_server import (
    Fault,
    RekognitionServer,
    answered,
    dropped,
    lost,
    refused,
    slow,
)

SEARCH = "SearchFacesByImage"


@dataclass(slots=True)
class Account:
    """A meter that keeps its calls in memory."""

    calls: list[Call] = field(default_factory=list)

    def record(self, call: Call) -> None:
        self.calls.append(call)

    def of(self, operation: str) -> list[Call]:
        return [call for call in self.calls if call.operation == operation]


Open = Callable[..., RekognitionEngine]


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def open_engine(rekognition_settings: Settings, account: Account) -> Iterator[Open]:
    """Opens engines at the test's service, by settings that differ, with its collection made."""
    opened = []

    def open_engine(**changes: Any) -> RekognitionEngine:
        renamed = {f"rekognition_{key}": value for key, value in changes.items()}
        engine = RekognitionEngine(rekognition_settings.model_copy(update=renamed), account)
        opened.append(engine)
        engine.prepare()
        return engine

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(open_engine: Open) -> RekognitionEngine:
    return open_engine()


def plain(side_px: int = 200) -> FaceCrop:
    """A picture of nothing, where a face is said to be."""
    image = np.full((side_px, side_px, 3), 128, np.uint8)
    return FaceCrop(image, (side_px // 4, side_px // 4, side_px // 2, side_px // 2))


def beside_ben() -> tuple[FaceCrop, FaceCrop]:
    """One picture twice: a head where a wall is, with Ben's whole face in the margin, and Ben's face itself."""
    image = np.full((720, 600, 3), 200, np.uint8)
    ben = crop_of(BEN, 320)
    x1, y1, x2, y2 = ben.box_xyxy
    image[200:520, 345 - x1 : 345 - x1 + 256] = ben.image
    return FaceCrop(image, (0, 200, 320, 520)), FaceCrop(image, (345, 200 + y1, 345 + x2 - x1, 200 + y2))


# ------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        (refused("ThrottlingException"), 1),
        (refused("ProvisionedThroughputExceededException"), 1),
        (refused("InternalServerError"), 1),
        (dropped(), 2),  # nobody knows whether the first was carried out, so it counts
        (lost(), 2),
    ],
    ids=["throttled", "over-quota", "internal", "dropped", "lost"],
)
def test_a_search_is_tried_again_where_that_helps(
    engine: RekognitionEngine,
    rekognition_server: RekognitionServer,
    account: Account,
    fault: Fault,
    billed: int,
) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    rekognition_server.faults.add(SEARCH, fault)
    answer = engine.search([Probe(crop_of(ANN))], session_id=7)[0]
    assert answer.candidates[0].face_id == ann.face_id
    assert answer.paid == billed
    (call,) = account.of(SEARCH)
    assert (call.attempts, call.billed, call.outcome, call.session_id) == (2, billed, "ok", 7)
    assert call.price == pytest.approx(billed * 0.001)
    assert len(rekognition_server.asked(SEARCH)) == 2


@pytest.mark.parametrize(
    ("fault", "billed", "code", "remedy"),
    [
        (refused("ThrottlingException"), 0, "ThrottlingException", "lower rekognition_rate_per_s"),
        (refused("InternalServerError"), 0, "InternalServerError", "try again later"),
        (dropped(), 2, "ConnectionClosedError", "check the network"),
        (slow(1.0), 2, "ReadTimeoutError", "check the network"),
    ],
    ids=["throttled", "internal", "dropped", "slow"],
)
def test_what_does_not_pass_is_given_up_after_the_configured_attempts(
    open_engine: Open,
    rekognition_server: RekognitionServer,
    account: Account,
    fault: Fault,
    billed: int,
    code: str,
    remedy: str,
) -> None:
    engine = open_engine(max_attempts=2, timeout_s=0.4)
    rekognition_server.faults.add(SEARCH, fault, times=None)
    with pytest.raises(EngineError, match=remedy) as failure:
        engine.search([Probe(crop_of(ANN))])
    assert failure.value.transient
    (call,) = account.of(SEARCH)
    assert (call.attempts, call.billed, call.outcome) == (2, billed, code)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidParameterException", "this is a mistake of Gridroll's"),
        ("ImageTooLargeException", "give another photograph"),
        ("InvalidImageFormatException", "give another photograph"),
        ("AccessDeniedException", "does not allow these credentials rekognition:SearchFacesByImage"),
        ("ExpiredTokenException", "have expired"),
        ("UnrecognizedClientException", "AWS_ACCESS_KEY_ID"),
        ("ResourceNotFoundException", "run 'gridroll init' or correct rekognition_collection"),
    ],
)
def test_what_cannot_pass_is_asked_once_and_explained(
    engine: RekognitionEngine,
    rekognition_server: RekognitionServer,
    account: Account,
    code: str,
    message: str,
) -> None:
    rekognition_server.faults.add(SEARCH, refused(code))
    with pytest.raises(EngineError, match=message) as failure:
        engine.search([Probe(crop_of(ANN))])
    assert not failure.value.transient
    assert "\n" not in str(failure.value)
    (call,) = account.of(SEARCH)
    assert (call.attempts, call.billed, call.price, call.outcome) == (1, 0, 0, code)


def test_without_credentials_it_says_which_to_set(
    rekognition_settings: Settings, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(EngineError, match=r"credentials are missing.*AWS_PROFILE"):
        RekognitionEngine(rekognition_settings, account).search([Probe(crop_of(ANN))])
    assert account.calls == []  # nothing was sent


def test_without_a_region_it_says_which_to_set(rekognition_settings: Settings) -> None:
    nowhere = rekognition_settings.model_copy(update={"rekognition_region": ""})
    with pytest.raises(EngineError, match="rekognition_region"):
        RekognitionEngine(nowhere).prepare()


def test_an_address_where_nobody_listens_is_named(rekognition_settings: Settings) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    away = {"rekognition_endpoint_url": url, "rekognition_max_attempts": 1}
    with pytest.raises(EngineError, match=f"cannot be reached at {url}") as failure:
        RekognitionEngine(rekognition_settings.model_copy(update=away)).prepare()
    assert failure.value.transient


def test_an_address_that_is_none_is_named(rekognition_settings: Settings) -> None:
    broken = rekognition_settings.model_copy(update={"rekognition_endpoint_url": "http://bad host"})
    with pytest.raises(EngineError, match="rekognition_endpoint_url"):
        RekognitionEngine(broken).prepare()


def test_credentials_of_somebody_else_are_not_accepted(
    rekognition_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODYELSE")
    with pytest.raises(EngineError, match="does not accept the credentials"):
        RekognitionEngine(rekognition_settings).prepare()


def test_a_collection_that_was_never_made_is_named(rekognition_settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"no collection 'gridroll'.*gridroll init"):
        list(RekognitionEngine(rekognition_settings).faces())


def test_making_the_collection_again_changes_nothing(engine: RekognitionEngine) -> None:
    engine.index(crop_of(ANN), "S1")
    assert engine.prepare().endswith("there")
    assert len(list(engine.faces())) == 1


# ---------------------------------------------------------- answers and bills


def test_a_picture_without_a_face_is_an_empty_answer_that_costs(
    engine: RekognitionEngine, account: Account
) -> None:
    engine.index(crop_of(ANN), "S1")
    before = engine.search([Probe(crop_of(ANN))])[0]
    answer = engine.search([Probe(plain(), template=before.template)])[0]
    assert answer.candidates == ()
    assert answer.paid == 1
    assert answer.template == before.template  # it says nothing about the person
    assert account.calls[-1].outcome == "InvalidParameterException"
    assert account.calls[-1].billed == 1


def test_a_picture_without_a_face_is_an_empty_answer_of_users_too(open_engine: Open) -> None:
    engine = open_engine(search="users")
    engine.index(crop_of(ANN), "S1")
    answer = engine.search([Probe(plain())])[0]
    assert (answer.candidates, answer.paid, answer.template) == ((), 1, None)


def test_a_neighbour_s_face_is_no_answer(engine: RekognitionEngine, account: Account) -> None:
    engine.index(crop_of(BEN), "S2")
    beside, there = beside_ben()
    assert engine.search([Probe(beside)])[0].candidates == ()
    assert account.calls[-1].outcome == "ok"  # the service did search a face
    assert engine.search([Probe(there)])[0].candidates != ()


def test_comparing_with_a_picture_without_a_face_is_an_error(engine: RekognitionEngine) -> None:
    with pytest.raises(EngineError, match="no face in one of the two"):
        engine.compare(crop_of(ANN), plain())


def test_everything_asked_is_accounted_for(engine: RekognitionEngine, account: Account) -> None:
    ann = engine.index(crop_of(ANN), "S1")[0]
    engine.objection(crop_of(ANN))
    engine.search([Probe(crop_of(ANN)), Probe(crop_of(BEN))], session_id=3)
    engine.compare(crop_of(ANN), crop_of(BEN))
    engine.remove([ann.face_id])
    billed = {(call.operation, call.billed, call.session_id) for call in account.calls}
    assert billed == {
        ("CreateCollection", 0, None),
        ("IndexFaces", 1, None),
        ("DetectFaces", 1, None),
        (SEARCH, 1, 3),
        ("CompareFaces", 1, None),
        ("ListFaces", 0, None),
        ("DeleteFaces", 0, None),
    }
    assert len(account.of(SEARCH)) == 2
    assert all(call.engine == REKOGNITION and call.at.tzinfo is not None for call in account.calls)


def test_the_price_is_configuration(open_engine: Open, account: Account) -> None:
    open_engine(price_per_1000=250.0).search([Probe(crop_of(ANN))])
    assert account.of(SEARCH)[0].price == pytest.approx(0.25)


def test_what_cannot_be_accounted_for_is_not_passed_over(rekognition_settings: Settings) -> None:
    class FullDisk:
        def record(self, call: Call) -> None:
            raise StoreError("no room for the account")

    with pytest.raises(StoreError, match="no room"):
        RekognitionEngine(rekognition_settings, FullDisk()).prepare()


def test_nothing_is_paid_when_one_of_the_faces_cannot_be_asked(
    engine: RekognitionEngine, account: Account
) -> None:
    nowhere = FaceCrop(crop_of(ANN).image, (9, 9, 9, 9))
    with pytest.raises(EngineError, match="empty"):
        engine.search([Probe(crop_of(ANN)), Probe(nowhere)])
    assert account.of(SEARCH) == []


def test_searches_paid_before_another_one_failed_are_not_paid_again(
    open_engine: Open, rekognition_server: RekognitionServer, account: Account
) -> None:
    engine = open_engine(max_attempts=1)
    ann = engine.index(crop_of(ANN), "S1")[0]
    probes = [Probe(crop_of(person)) for person in (ANN, BEN, CID)]
    rekognition_server.faults.add(SEARCH, refused("ThrottlingException"))
    with pytest.raises(EngineError, match="takes no more"):
        engine.search(probes)
    answers = engine.search(probes)
    assert answers[0].candidates[0].face_id == ann.face_id
    assert sum(answer.paid for answer in answers) == sum(call.billed for call in account.of(SEARCH)) == 3
    engine.search(probes)  # but the next look is a look of its own
    assert len(account.of(SEARCH)) == 7


def test_what_was_found_before_a_face_was_removed_is_not_used_again(
    open_engine: Open, rekognition_server: RekognitionServer
) -> None:
    engine = open_engine(max_attempts=1)
    ann = engine.index(crop_of(ANN), "S1")[0]
    rekognition_server.faults.add(SEARCH, refused("ThrottlingException"))
    with pytest.raises(EngineError, match="takes no more"):
        engine.search([Probe(crop_of(ANN)), Probe(crop_of(ANN, 300))])
    engine.remove([ann.face_id])
    answers = engine.search([Probe(crop_of(ANN)), Probe(crop_of(ANN, 300))])
    assert [answer.candidates for answer in answers] == [(), ()]


def test_a_neighbour_s_face_is_not_compared(engine: RekognitionEngine) -> None:
    beside, there = beside_ben()
    with pytest.raises(EngineError, match="another face"):
        engine.compare(beside, there)
    assert engine.compare(there, beside) == 0


# ----------------------------------------------------- side by side, in time


def test_attempts_of_searches_side_by_side_are_told_apart(
    engine: RekognitionEngine, rekognition_server: RekognitionServer, account: Account
) -> None:
    rekognition_server.faults.add(SEARCH, refused("ThrottlingException"), times=3)
    engine.search([Probe(crop_of(person)) for person in CAST[:8]])
    attempts = [call.attempts for call in account.of(SEARCH)]
    assert len(attempts) == 8
    assert sum(attempts) == len(rekognition_server.asked(SEARCH)) == 11


def test_searches_of_a_look_run_side_by_side_over_connections_that_stay_open(
    engine: RekognitionEngine, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add(SEARCH, slow(0.5), times=None)
    for _ in range(3):
        engine.search([Probe(plain()) for _ in range(6)])
    assert rekognition_server.busiest == 6
    assert rekognition_server.connections <= 7  # one more than searches run: that of CreateCollection


def test_calls_stay_within_the_rate_retries_included(
    open_engine: Open, rekognition_server: RekognitionServer
) -> None:
    rekognition_server.faults.add(SEARCH, refused("ThrottlingException"), times=4)
    began = time.monotonic()
    open_engine(rate_per_s=10.0).search([Probe(plain()) for _ in range(16)])
    at = [request.at - began for request in rekognition_server.requests]
    assert len(at) == 21
    assert at[10] >= 1
    assert at[20] >= 2


def test_closing_ends_the_threads_and_the_connections(
    open_engine: Open, rekognition_server: RekognitionServer
) -> None:
    engine = open_engine()
    engine.search([Probe(plain())])
    assert rekognition_server.open_connections > 0
    engine.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(REKOGNITION)]
    deadline = time.monotonic() + 10
    while rekognition_server.open_connections and time.monotonic() < deadline:
        time.sleep(0.02)
    assert rekognition_server.open_connections == 0
    engine.close()  # once more is no mistake


def test_the_library_of_the_provider_is_loaded_only_when_it_is_asked(rekognition_settings: Settings) -> None:
    code = (
        "import sys, recognizer.stores, recognizer.rekognition as r; from db.settings import load_settings;"
        "r.RekognitionEngine(load_settings()); assert not {'boto3', 'botocore'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -------------------------------------------------------- indexing, removing


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
