"""What `gridroll doctor` says of AWS, asked over real HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from db.health import Check, State
from db.settings import Settings
from recognizer.health import check_recognition
from tests.conftest import free_port

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
