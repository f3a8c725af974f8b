"""Sends a message through the institute's mail server."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from db.errors import ConfigError, GridrollError
from db.settings import Settings

__all__ = ["MailError", "MailServer", "mail_server", "send"]

TIMEOUT_S = 20.0
PORTS = {"smtp": 25, "smtps": 465}
SUBMISSION = 587
"""Where mail servers take mail from who signs in."""


class MailError(GridrollError):
    """A message that was not sent."""


class MailAwayError(MailError):
    """The mail server cannot be reached or is busy; later it may work."""

    transient = True


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in. `wrapped`: encrypted from the first byte. `user`: empty where nobody signs in."""

    host: str
    port: int
    wrapped: bool
    sender: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.place})"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


def mail_server(settings: Settings) -> MailServer:
    """The server of the settings. Raises ConfigError where there is none or its address is none."""
    remedy = "write smtp://user:password@host:587 or smtps://user:password@host"
    if not settings.smtp_url:
        raise ConfigError(f"no mail server is configured; set smtp_url: {remedy}")
    try:
        parts = urlsplit(settings.smtp_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"smtp_url is no address; {remedy}") from error
    if parts.scheme not in PORTS or not host:
        raise ConfigError(f"smtp_url is no address of a mail server; {remedy}")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    usual = SUBMISSION if user and parts.scheme == "smtp" else PORTS[parts.scheme]
    sender = settings.mail_from or (user if "@" in user else f"gridroll@{socket.gethostname()}")
    if "@" not in sender or any(ord(character) < 33 for character in sender):
        raise ConfigError(f"mail_from {sender!r} is no e-mail address")
    return MailServer(host, port or usual, parts.scheme == "smtps", sender, user, password)


def send(
    server: MailServer, to: str, subject: str, text: str, attached: tuple[str, bytes] | None = None
) -> None:
    """Send a message. `attached`: a JSON file's name and content. Raises MailError.

    A password is sent over an encrypted connection only, or within this machine.
    """
    if "@" not in to or not to.isascii() or any(ord(character) < 33 for character in to):
        raise MailError(f"{to!r} is no e-mail address that can be written to")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = server.sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=server.sender.rpartition("@")[2])
    message.set_content(text)
    if attached is not None:
        message.add_attachment(attached[1], maintype="application", subtype="json", filename=attached[0])
    try:
        with _connected(server) as connection:
            if server.user:
                _sign_in(connection, server)
            connection.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise MailError(
            f"{server.place} refused the user name or the password of smtp_url ({error.smtp_code})"
        ) from None  # what the server answered may repeat what it was sent
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = next(iter(error.recipients.values()))
        raise _refused(server, f"the recipient {to}", code, answer) from error
    except smtplib.SMTPSenderRefused as error:
        raise _refused(server, f"the sender {error.sender}", error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:
        raise _refused(server, "the message", error.smtp_code, error.smtp_error) from error
    except UnicodeEncodeError:
        raise MailError(
            "smtp_url has a user name or password with characters that mail servers don't take"
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(f"{server.place} knows no way to sign in that Gridroll knows") from error
    except ssl.SSLCertVerificationError as error:
        raise MailError(
            f"the certificate of {server.place} is not trusted ({error.verify_message}); correct the host of smtp_url, "
            "or name the authority's certificate in SSL_CERT_FILE"
        ) from error
    except ssl.SSLError as error:
        raise MailError(
            f"{server.place} speaks no TLS ({error.reason}); smtps:// is for port 465, smtp:// for 25 and 587"
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise MailAwayError(f"cannot reach the mail server {server.place}: {reason}; try again") from error


def _connected(server: MailServer) -> smtplib.SMTP:
    if server.wrapped:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)


def _sign_in(connection: smtplib.SMTP, server: MailServer) -> None:
    connection.ehlo()
    if not server.wrapped and connection.has_extn("starttls"):
        connection.starttls(context=ssl.create_default_context())
        connection.ehlo()
    elif not server.wrapped and not _within_this_machine(server.host):
        raise MailError(
            f"{server.place} offers no encryption, so the password was not sent; use smtps://, or leave it out"
        )
    connection.login(server.user, server.password)


def _within_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(server: MailServer, what: str, code: int, answer: bytes | str) -> MailError:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    kind = MailAwayError if 400 <= code < 500 else MailError
    return kind(f"{server.place} refused {what}: {code} {' '.join(text.split())[:200]}")
