"""Mail through real SMTP servers on loopback: plain, with STARTTLS, wrapped in TLS, with and without a password."""

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from db.errors import ConfigError, GridrollError
from db.post import MailAwayError, MailError, MailServer, mail_server, send
from db.settings import Settings
from tests.conftest import free_port

USER, PASSWORD = "roll@x.example", "p@ss/word:%20"
FILE = ("anchor.json", b'{"seq": 3}\n')


class Postbox:
    """Keeps what it is handed. Knows one user; refuses mail to `nobody@…` and says later to `later@…`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.encrypted: list[bool] = []
        self.signed_in: list[bool] = []

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such user here"
        if address.startswith("later@"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content))
        self.encrypted.append(session.ssl is not None)
        self.signed_in.append(bool(session.authenticated))
        return "250 OK"


def known(server: Any, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    right = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=given == right, handled=False)


Start = Callable[..., tuple[Postbox, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a mail server; the keywords are aiosmtpd's."""
    running = []

    def start(**options: Any) -> tuple[Postbox, int]:
        box = Postbox()
        server = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
        server.start()
        running.append(server)
        return box, server.port

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, its key behind it in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def deliver(
    settings: Settings, url: str, to: str = "dean@x.example", sender: str = "roll@x.example"
) -> MailServer:
    server = mail_server(settings.model_copy(update={"smtp_url": url, "mail_from": sender}))
    send(server, to, "Gridroll audit anchor: row 3", "Keep this.\n", FILE)
    return server


CREDENTIALS = "roll%40x.example:p%40ss%2Fword%3A%2520"


def test_a_message_and_its_file_arrive(start: Start, settings: Settings) -> None:
    box, port = start()
    deliver(settings, f"smtp://127.0.0.1:{port}")
    (message,) = box.messages
    assert (message["From"], message["To"]) == ("roll@x.example", "dean@x.example")
    _, text, attached = message.walk()
    assert text.get_payload(decode=True).split() == [b"Keep", b"this."]  # type: ignore[union-attr]
    assert (attached.get_filename(), attached.get_payload(decode=True)) == FILE


def test_a_password_goes_through_starttls_where_that_is_offered(
    start: Start, settings: Settings, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    box, port = start(tls_context=tls, require_starttls=True, authenticator=known, auth_required=True)
    deliver(settings, f"smtp://{CREDENTIALS}@127.0.0.1:{port}")
    assert box.encrypted == [True]


def test_smtps_is_encrypted_from_the_first_byte(
    start: Start, settings: Settings, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    box, port = start(ssl_context=tls, authenticator=known, auth_require_tls=False)
    deliver(settings, f"smtps://{CREDENTIALS}@127.0.0.1:{port}")
    assert (len(box.messages), box.signed_in) == (1, [True])


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ("roll%40x.example:wrong-secret", r"refused the user name or the password of smtp_url \(535\)"),
        ("somebody:wrong-secret", "refused the user name or the password"),
        ("somebody:wr%C3%B6ng-secret", "characters that mail servers don't take"),
    ],
)
def test_a_wrong_password_is_one_line_without_it(
    start: Start, settings: Settings, credentials: str, message: str
) -> None:
    _, port = start(authenticator=known, auth_require_tls=False)
    with pytest.raises(MailError, match=message) as error:
        deliver(settings, f"smtp://{credentials}@127.0.0.1:{port}")
    assert "secret" not in str(error.value)
    assert not error.value.transient


def test_a_password_is_not_sent_in_the_clear_to_another_machine(
    start: Start, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = start(authenticator=known, auth_require_tls=False)
    # The name of another machine, which this one answers to here.
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more)
    )
    with pytest.raises(MailError, match="offers no encryption, so the password was not sent"):
        deliver(settings, f"smtp://{CREDENTIALS}@mail.x.example:{port}")
    assert not box.messages


def test_a_certificate_of_nobody_known_is_refused(
    start: Start, settings: Settings, tls: ssl.SSLContext
) -> None:
    box, port = start(tls_context=tls, authenticator=known)
    with pytest.raises(MailError, match=r"certificate of 127.0.0.1:\d+ is not trusted .*SSL_CERT_FILE"):
        deliver(settings, f"smtp://{CREDENTIALS}@127.0.0.1:{port}")
    assert not box.messages


def test_a_server_that_speaks_no_tls_is_one_clear_line(start: Start, settings: Settings) -> None:
    _, port = start()
    with pytest.raises(MailError, match="speaks no TLS"):
        deliver(settings, f"smtps://127.0.0.1:{port}")


def test_who_cannot_be_written_to_is_named(start: Start, settings: Settings) -> None:
    _, port = start()
    with pytest.raises(
        MailError, match=r"refused the recipient nobody@x\.example: 550 no such user"
    ) as error:
        deliver(settings, f"smtp://127.0.0.1:{port}", "nobody@x.example")
    assert not error.value.transient
    with pytest.raises(MailAwayError, match="451 try again later"):
        deliver(settings, f"smtp://127.0.0.1:{port}", "later@x.example")
    for address in ("dean", "dean@x.example\nBcc: all@x.example", "dëan@x.example"):
        with pytest.raises(MailError, match="is no e-mail address"):
            deliver(settings, f"smtp://127.0.0.1:{port}", address)


def test_a_server_that_is_away_may_be_back_later(settings: Settings) -> None:
    with pytest.raises(MailAwayError, match=r"cannot reach the mail server 127.0.0.1:\d+: .*refused"):
        deliver(settings, f"smtp://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "no mail server is configured; set smtp_url"),
        ("http://user:secret@host", "smtp_url is no address of a mail server"),
        ("smtp://", "smtp_url is no address of a mail server"),
        ("smtp://user:secret@host:many", "smtp_url is no address; write"),
        ("smtp://user:secret@[host", "smtp_url is no address; write"),
    ],
)
def test_a_bad_address_is_one_line_without_its_password(settings: Settings, url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        mail_server(settings.model_copy(update={"smtp_url": url}))
    assert "secret" not in str(error.value)


def test_the_usual_ports_and_the_usual_sender_need_not_be_given(settings: Settings) -> None:
    def server(url: str, sender: str = "") -> MailServer:
        return mail_server(settings.model_copy(update={"smtp_url": url, "mail_from": sender}))

    assert (server("smtp://host").port, server("smtp://u:p@host").port) == (25, 587)
    assert server("smtps://u:p@host").port == 465
    assert server("smtp://roll%40x.example:p@host").sender == "roll@x.example"
    assert server("smtp://host").sender.startswith("gridroll@")
    assert "p@ss" not in repr(server("smtp://u:p%40ss@host"))
    with pytest.raises(GridrollError, match="mail_from"):
        server("smtp://host", "nobody")
