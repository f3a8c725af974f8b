"""Sends one message to an address, and to no other: it is resolved first, held against what is allowed, and kept to."""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, ReadTimeoutError, SSLError

from portal.errors import PortalError
from portal.webhooks.deadline import Deadline

__all__ = ["Outcome", "check_url", "post", "signature"]

CONNECT_S, TOTAL_S = 5.0, 15.0
NEVER_PUBLIC = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "64:ff9b::/96",  # an IPv4 address in disguise, as in the next three
        "64:ff9b:1::/48",
        "::/96",
        "::ffff:0:0:0/96",
        "fec0::/10",  # site-local
    )
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status_code`: None where there was no answer. `error`: one line; None: the message was taken."""

    status_code: int | None
    error: str | None


def check_url(url: str, private: bool) -> None:
    """Raises PortalError for what is no address of the web, or not one that messages may go to. Asks the name service."""
    _resolve(_split(url), private)


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The value of `Gridroll-Signature`: the second since 1970, and HMAC-SHA256 of it, a full stop and the body."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def post(
    url: str, body: bytes, headers: Mapping[str, str], private: bool, total_s: float = TOTAL_S
) -> Outcome:
    """Send a message and hear whether it was taken, which every 2xx says. Follows no redirect, and never raises."""
    try:
        parts = _split(url)
        address = _resolve(parts, private)
    except PortalError as error:
        return Outcome(None, str(error))
    host = parts.hostname or ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with Deadline(total_s) as deadline, _pool(parts, address, total_s, deadline) as pool:
        try:
            response = pool.urlopen(
                "POST",
                target,
                body=body,
                headers={**headers, "Host": parts.netloc.rpartition("@")[2]},
                redirect=False,
                preload_content=False,
                assert_same_host=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            return Outcome(None, _late(host, total_s) if deadline.is_over else _words(error, host, total_s))
        status = response.status
        response.close()
    if deadline.is_over:
        # The connection was cut: what came of the answer is no answer.
        return Outcome(None, _late(host, total_s))
    if 200 <= status < 300:
        return Outcome(status, None)
    moved = "; redirects are not followed" if 300 <= status < 400 else ""
    return Outcome(status, f"{host} answered {status}{moved}")


def _pool(parts: SplitResult, address: str, total_s: float, deadline: Deadline) -> urllib3.HTTPConnectionPool:
    """Connections to this address under the host's name: it is not asked for again, since its owner could answer otherwise."""
    # The total of urllib3 holds for each read anew; the deadline holds for all of them together.
    timeout, port, host = urllib3.Timeout(connect=CONNECT_S, total=total_s), _port(parts), parts.hostname
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return deadline.watch(super()._new_conn())

        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=timeout, retries=False, server_hostname=host, assert_hostname=host
        )
        pool.ConnectionCls = Secure
    else:

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return deadline.watch(super()._new_conn())

        pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
        pool.ConnectionCls = Plain
    return pool


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise PortalError(
            f"{url[:80]!r} is no address ({error}); write e.g. https://example.edu/hook"
        ) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise PortalError(f"{url[:80]!r} is no address of the web; write e.g. https://example.edu/hook")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise PortalError("the address holds a user, a password or a fragment; leave them away")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise PortalError(f"{url[:80]!r} has characters that no address has; write them in percent encoding")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _resolve(parts: SplitResult, private: bool) -> str:
    """An address of the host. Raises PortalError where there is none, or one that is not allowed among them."""
    host = parts.hostname or ""
    try:
        found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PortalError(f"{host} has no address in the name service; check how it is written") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    for address in addresses:
        if not private and not _is_public(address):
            raise PortalError(
                f"{host} is at {address}, which is no public address; take another, or set webhook_private = true"
            )
    return next((address for address in addresses if ":" not in address), addresses[0])


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif (
            address.sixtofour is not None
            or address.teredo is not None
            or any(address in block for block in NEVER_PUBLIC)
        ):
            return False
    return address.is_global and not address.is_multicast


def _words(error: Exception, host: str, total_s: float) -> str:
    if isinstance(error, ConnectTimeoutError):
        return f"{host} took no connection within {CONNECT_S:.0f} s"
    if isinstance(error, ReadTimeoutError):
        return _late(host, total_s)
    if isinstance(error, SSLError):
        return f"{host} has no certificate that holds for it"
    if isinstance(error, NameResolutionError):
        return f"{host} has no address in the name service"
    return f"{host} broke the connection or refused it ({type(error).__name__})"


def _late(host: str, total_s: float) -> str:
    return f"{host} did not answer within {total_s:.0f} s"
