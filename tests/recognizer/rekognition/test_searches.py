"""Searching and comparing over real HTTP: answers, bills, rates, connections."""

import subprocess
import sys
import threading
import time

import pytest

from db.errors import StoreError
from db.settings import Settings
from demo.cast import CAST
from recognizer.engine import Probe
from recognizer.errors import EngineError
from recognizer.metering import Call
from recognizer.observation import FaceCrop
from recognizer.rekognition import REKOGNITION, RekognitionEngine
from tests.recognizer.conftest import ANN, BEN, CID, crop_of
from tests.recognizer.rekognition.conftest import SEARCH, Account, Open, beside_ben, plain
from tests.rekognition_server import (
    RekognitionServer,
    refused,
    slow,
)


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
