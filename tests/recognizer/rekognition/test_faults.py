"""What goes wrong between the engine and the service, over real HTTP: tried again, given up, explained."""

import pytest

from db.settings import Settings
from recognizer.engine import Probe
from recognizer.errors import EngineError
from recognizer.rekognition import RekognitionEngine
from tests.conftest import free_port
from tests.recognizer.conftest import ANN, crop_of
from tests.recognizer.rekognition.conftest import SEARCH, Account, Open
from tests.rekognition_server import (
    Fault,
    RekognitionServer,
    dropped,
    lost,
    refused,
    slow,
)


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
