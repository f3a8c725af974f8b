"""One message goes to one address, checked before, and nowhere else."""

import hashlib
import hmac
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from portal.errors import PortalError
from portal.webhooks.post import check_url, post, signature
from tests.conftest import free_port
from tests.portal.webhooks.conftest import Listener


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.edu/x", "example.edu/hook", "https://", "https://a:b@example.edu/", "https://example.edu/#x",
        "https://example.edu:99999/", "https://[::1/", "https://exa mple.edu/", "javascript:alert(1)", "//example.edu/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(PortalError):
        check_url(url, private=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
        "fec0::1", "feff::1", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::1", "::7f00:1", "::93.184.216.34", "::ffff:0:7f00:1",
    ],
)  # fmt: skip
def test_names_that_lead_inside_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", (address, port))]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    with pytest.raises(PortalError, match="no public address"):
        check_url("https://example.edu/hook", private=False)
    check_url("https://example.edu/hook", private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_loopback_is_refused_however_it_is_written(host: str, listener: Listener) -> None:
    outcome = post(listener.url.replace("127.0.0.1", host), b"{}", {}, private=False)
    assert outcome.status_code is None
    assert "no public address" in str(outcome.error)
    assert listener.got == []


def test_the_name_is_resolved_once_and_kept_to(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def resolve(host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(
        "portal.webhooks.post.socket.getaddrinfo",
        lambda host, port, *rest, **options: (
            resolve(host, port) if host == "rebound.example" else real(host, port, *rest, **options)
        ),
    )
    outcome = post(listener.url.replace("127.0.0.1", "rebound.example"), b"{}", {}, private=True)
    assert outcome.error is None
    assert asked == ["rebound.example"]
    assert listener.got[0][0]["Host"].startswith("rebound.example:")


def test_a_2xx_means_taken_and_all_else_does_not(listener: Listener) -> None:
    for status in (200, 204, 299):
        listener.answers = [status]
        assert post(listener.url, b"{}", {}, private=True).error is None
    for status in (301, 400, 404, 410, 500, 503):
        listener.answers = [status]
        outcome = post(listener.url, b"{}", {}, private=True)
        assert (outcome.status_code, outcome.error is None) == (status, False)


def test_redirects_are_not_followed(listener: Listener) -> None:
    listener.answers, listener.headers = [307], {"Location": listener.url}
    outcome = post(listener.url, b"{}", {}, private=True)
    assert "redirects are not followed" in str(outcome.error)
    assert len(listener.got) == 1


def test_who_does_not_answer_is_left_after_a_while(listener: Listener) -> None:
    listener.hold = threading.Event()
    outcome = post(listener.url, b"{}", {}, private=True, total_s=0.3)
    assert outcome.status_code is None
    assert "did not answer" in str(outcome.error)


@contextmanager
def dribbling(begin: bytes, more: bytes) -> Iterator[int]:
    """A port that answers at once, and then says a little more for as long as it is let."""
    done = threading.Event()

    def serve() -> None:
        with closing(server.accept()[0]) as there:
            try:
                there.sendall(begin)
                while not done.wait(0.05):
                    there.sendall(more)
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            done.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("scheme", "begin", "more"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
        ("http", b"HTTP/1.1 2", b"0"),
        ("http", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00", b"\x00"),  # a handshake that does not end
    ],
)
def test_an_answer_that_comes_byte_by_byte_is_left_after_a_while(
    scheme: str, begin: bytes, more: bytes
) -> None:
    with dribbling(begin, more) as port:
        began_s = time.monotonic()
        outcome = post(f"{scheme}://127.0.0.1:{port}/", b"{}", {}, private=True, total_s=0.5)
        took_s = time.monotonic() - began_s
    assert outcome.status_code is None
    assert "did not answer" in str(outcome.error)
    assert took_s < 3


def test_nobody_there_is_one_line() -> None:
    outcome = post(f"http://127.0.0.1:{free_port()}/", b"{}", {}, private=True)
    assert outcome.error is not None
    assert "\n" not in outcome.error
    assert "127.0.0.1" in outcome.error


def test_a_message_is_signed_over_time_and_body() -> None:
    digest = hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert signature("secret", 1_700_000_000, b'{"a":1}') == f"t=1700000000,v1={digest}"
