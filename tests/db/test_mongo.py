"""A server behind a URL: passwords, certificates, addresses, and what is said when something is wrong with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from db.errors import ConfigError
from db.face_cache import FaceCache
from db.mongo import CacheAwayError, CacheError, CacheRefusedError, MongoServer, place_of
from tests.certificates import Authority
from tests.mongo_gate import MongoGate

PASSWORD = "p@ss:w/rd"
ESCAPED = "p%40ss%3Aw%2Frd"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def gate(server: str, authority: Authority, expired: bool = False) -> Iterator[MongoGate]:
    """A MongoDB that asks for TLS and for Ann's password."""
    host, port = server.removeprefix("mongodb://").split(":")
    with MongoGate((host, int(port)), "ann", PASSWORD, authority.server(expired)) as opened:
        yield opened


def url_of(opened: MongoGate, password: str, options: str) -> str:
    return f"mongodb://ann:{password}@127.0.0.1:{opened.port}/?authSource=admin&{options}"


def failure(url: str) -> CacheError:
    server = MongoServer(url)
    try:
        with pytest.raises(CacheError) as caught:
            server.run(lambda documents: documents["faces"].find_one({}), 1.0)
    finally:
        server.close()
    assert PASSWORD not in str(caught.value)
    assert ESCAPED not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_server_that_asks_for_a_password_and_tls_is_worked_with(
    cache_server: str, authority: Authority
) -> None:
    with gate(cache_server, authority) as opened:
        cache = FaceCache(url_of(opened, ESCAPED, f"tls=true&tlsCAFile={authority.file}"), "test_gate")
        cache.prepare()
        assert cache.face_ids() == set()
        assert cache.place == f"127.0.0.1:{opened.port}"
        cache.close()
        assert opened.signed_in


def test_a_wrong_password_is_said_without_it(cache_server: str, authority: Authority) -> None:
    with gate(cache_server, authority) as opened:
        error = failure(url_of(opened, "wrong", f"tls=true&tlsCAFile={authority.file}"))
    assert isinstance(error, CacheRefusedError)
    assert str(error) == (
        f"the face cache at 127.0.0.1:{opened.port} refuses the user or the password of cache_url; correct them, and "
        "authSource"
    )
    assert "wrong" not in str(error)


def test_a_wrong_password_stops_who_prepares_the_cache_and_nobody_who_takes_attendance(
    cache_server: str, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with gate(cache_server, authority) as opened:
        cache = FaceCache(url_of(opened, "wrong", f"tls=true&tlsCAFile={authority.file}"))
        cache.try_to_prepare()
        for _ in range(2):
            assert cache.refresh(1, "me", None, {}, lambda _: ()).notes is None
        with pytest.raises(CacheRefusedError, match="refuses the user or the password"):
            cache.prepare()
        cache.close()
    (said,) = [record.message for record in caplog.records]
    assert said.endswith("refuses the user or the password of cache_url; going on without it, slower")


def test_no_password_where_one_is_asked_for_is_said(cache_server: str, authority: Authority) -> None:
    with gate(cache_server, authority) as opened:
        error = failure(f"mongodb://127.0.0.1:{opened.port}/?tls=true&tlsCAFile={authority.file}")
    assert isinstance(error, CacheRefusedError)
    assert "does not let this user read and write 'gridroll'" in str(error)


def test_an_authority_that_is_unknown_is_said(
    cache_server: str, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "Another authority")
    with gate(cache_server, authority) as opened:
        error = failure(url_of(opened, ESCAPED, f"tls=true&tlsCAFile={other.file}"))
    assert isinstance(error, CacheRefusedError)
    assert "cannot be trusted" in str(error)
    assert "tlsCAFile" in str(error)


def test_a_certificate_that_has_expired_is_said(cache_server: str, authority: Authority) -> None:
    with gate(cache_server, authority, expired=True) as opened:
        error = failure(url_of(opened, ESCAPED, f"tls=true&tlsCAFile={authority.file}"))
    assert isinstance(error, CacheRefusedError)
    assert "has expired; renew it" in str(error)


def test_a_file_of_an_authority_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory: .*/none\.pem"):
        MongoServer(f"mongodb://ann:{ESCAPED}@127.0.0.1/?tls=true&tlsCAFile=/nowhere/none.pem")


def test_a_server_that_is_away_is_one_clear_line_and_is_left_alone_for_a_while() -> None:
    url = "mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=200&timeoutMS=400"
    server, asked = MongoServer(url), 0

    def ask(documents: object) -> None:
        nonlocal asked
        asked += 1
        documents["faces"].find_one({})  # type: ignore[index]

    for _ in range(3):
        with pytest.raises(CacheAwayError, match=r"face cache at 127\.0\.0\.1:1 does not answer") as error:
            server.run(ask)
        assert error.value.transient
        assert "secret" not in str(error.value)
    assert asked == 1
    server.close()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mongodb://127.0.0.1", "127.0.0.1"),
        ("mongodb://h1:1,h2:2,[::1]:3/roll?replicaSet=rs0", "h1:1,h2:2,[::1]:3"),
        ("mongodb+srv://ann:s3cret@cluster0.example.net/?retryWrites=true", "cluster0.example.net"),
        ("mongodb://ann%40school:p%40ss@host:27017/", "host:27017"),
        # a password in an option, with characters that stand before a host elsewhere
        ("mongodb://ann:x@host/?tlsCertificateKeyFilePassword=se@cret", "host"),
        # not escaped: whatever it is, nothing of it is shown
        ("mongodb://ann:s3@cret@host/", "an address that is none"),
        ("mongodb://ann:s3/cret@host/", "an address that is none"),
        ("http://ann:s3cret@host", "an address that is none"),
        ("", "an address that is none"),
    ],
)
def test_an_address_is_shown_without_what_signs_in(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://h1.invalid:1,h2.invalid:2/roll?replicaSet=rs0",
        "mongodb+srv://ann:secret@cluster0.example.invalid/?retryWrites=true&serverSelectionTimeoutMS=100",
    ],
)
def test_clusters_are_addresses_too_and_are_looked_up_only_when_asked(url: str) -> None:
    MongoServer(url).close()


@pytest.mark.parametrize("url", ["http://example", "mongodb://ann:s3@cret@host/", "mongodb://host:0/"])
def test_an_address_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="mongodb://host:port") as error:
        MongoServer(url)
    assert "cret" not in str(error.value)


@pytest.mark.parametrize(("path", "name"), [("", "gridroll"), ("roll", "roll")])
def test_the_database_of_the_address_is_used(cache_server: str, path: str, name: str) -> None:
    server = MongoServer(f"{cache_server}/{path}")
    assert server.run(lambda documents: documents.name) == name
    server.close()
