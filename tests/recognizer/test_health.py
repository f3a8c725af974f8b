"""What `gridroll doctor` says of AWS, asked over real HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from db.health import Check, State
from db.settings import Settings
from recognizer.health import check_recognition
from recognizer.rekognition import RekognitionEngine
from tests.conftest import free_port
from tests.recognizer.conftest import ANN, crop_of
from tests.rekognition_server import RekognitionServer, refused

SIGNED_IN = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::123456789012:user/registrar</Arn><UserId>A</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>InvalidClientTokenId</Code><Message>The security token is invalid.</Message></Error></ErrorResponse>"""

Configure = Callable[[str], None]


@contextmanager
def token_service(status: int, body: str) -> Iterator[str]:
    """The address of a server that answers every request as AWS's security token service would."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "text/xml")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    def configure(endpoint_url: str) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint_url)

    return configure


@pytest.fixture
def token_service_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A token service that knows whose the credentials are."""
    with token_service(200, SIGNED_IN) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        yield url


def aws(home: Path) -> Check:
    return next(check for check in check_recognition(Settings(home=home)) if check.name == "AWS")


def test_without_credentials_nothing_is_broken(tmp_path: Path) -> None:
    assert aws(tmp_path).state is State.ABSENT


def test_accepted_credentials_are_named(tmp_path: Path, configure: Configure) -> None:
    with token_service(200, SIGNED_IN) as url:
        configure(url)
        assert aws(tmp_path) == Check(
            "AWS", State.WORKS, "signed in as arn:aws:iam::123456789012:user/registrar"
        )


def test_refused_credentials_are_to_be_renewed(tmp_path: Path, configure: Configure) -> None:
    with token_service(403, REFUSED) as url:
        configure(url)
        check = aws(tmp_path)
    assert check.state is State.BROKEN
    assert "AWS refuses the credentials (InvalidClientTokenId)" in check.detail
    assert "renew them or unset AWS_ACCESS_KEY_ID" in check.detail


def test_an_aws_out_of_reach_says_nothing_about_the_credentials(tmp_path: Path, configure: Configure) -> None:
    configure(f"http://127.0.0.1:{free_port()}")
    check = aws(tmp_path)
    assert check.state is State.BROKEN
    assert "cannot be reached" in check.detail
    assert "AWS_DEFAULT_REGION" in check.detail  # boto3 reads no AWS_REGION
    assert "not accepted" not in check.detail


@pytest.mark.parametrize("missing", ["AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"])
def test_what_is_missing_beside_the_key_is_named(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    configure("http://127.0.0.1:1")
    monkeypatch.delenv(missing)
    check = aws(tmp_path)
    assert check.state is State.BROKEN
    assert "not completely" in check.detail
    assert missing in check.detail


def make_collection(settings: Settings) -> None:
    with closing(RekognitionEngine(settings)) as engine:
        engine.prepare()


def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in check_recognition(settings)}


def test_a_collection_at_rekognition_is_counted_and_the_permissions_are_tried(
    rekognition_settings: Settings, rekognition_server: RekognitionServer, token_service_url: str
) -> None:
    make_collection(rekognition_settings)
    found = checks(rekognition_settings)
    assert "face engine" not in found  # nothing is embedded here
    assert found["Rekognition"].state is State.WORKS
    assert f"collection gridroll at {rekognition_server.url}; 0 faces indexed" in found["Rekognition"].detail
    assert found["permissions"].state is State.WORKS


def test_trying_the_permissions_changes_nothing(
    rekognition_settings: Settings, rekognition_server: RekognitionServer, token_service_url: str
) -> None:
    settings = rekognition_settings.model_copy(update={"rekognition_search": "users"})
    with closing(RekognitionEngine(settings)) as engine:
        engine.prepare()
        engine.index(crop_of(ANN), "S1")
        assert checks(settings)["permissions"].state is State.WORKS
        assert [face.external_id for face in engine.faces()] == ["S1"]
    users = rekognition_server.operations("ListUsers", {"CollectionId": "gridroll"})["Users"]
    assert [user["UserId"] for user in users] == ["S1"]


def test_denied_actions_are_named_together(
    rekognition_settings: Settings, rekognition_server: RekognitionServer, token_service_url: str
) -> None:
    make_collection(rekognition_settings)
    for operation in ("IndexFaces", "DeleteFaces"):
        rekognition_server.faults.add(operation, refused("AccessDeniedException"), times=None)
    check = checks(rekognition_settings)["permissions"]
    assert check.state is State.BROKEN
    assert "rekognition:DeleteFaces, rekognition:IndexFaces; add them to the IAM policy" in check.detail


def test_a_collection_that_is_missing_is_made_by_init(
    rekognition_settings: Settings, token_service_url: str
) -> None:
    found = checks(rekognition_settings)
    assert found["Rekognition"].state is State.BROKEN
    assert "run 'gridroll init'" in found["Rekognition"].detail
    assert "permissions" not in found


def test_two_engines_are_looked_at_where_both_are_used(
    rekognition_settings: Settings, token_service_url: str
) -> None:
    tiered = rekognition_settings.model_copy(update={"engine": "tiered"})
    make_collection(tiered)
    found = checks(tiered)
    assert found["face engine"].state is found["Rekognition"].state is State.WORKS
