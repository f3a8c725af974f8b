"""A gate in front of a MongoDB-protocol server that has neither passwords nor TLS: it asks for both, as MongoDB does.

Speaks OP_MSG: `hello`, `saslStart` and `saslContinue` with SCRAM-SHA-256 (RFC 7677) are answered here, everything else is
refused with error 13 until the user has signed in, and handed through unread from then on.
"""

import hashlib
import hmac
import os
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any

import bson

HEADER = struct.Struct("<iiii")
OP_MSG, OP_QUERY, OP_REPLY = 2013, 2004, 1
ITERATIONS = 4096
NOT_ALLOWED, NOT_AUTHENTICATED = 13, 18


class MongoGate:
    """Listens on a free loopback port. `user`, `password`: who may through; empty: everybody. `tls`: None means plain."""

    def __init__(
        self, server: tuple[str, int], user: str = "", password: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._user, self._password = user, password
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.signed_in = 0
        self._sockets: list[socket.socket] = [self._listening]

    def __enter__(self) -> "MongoGate":
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._sockets.append(client)
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError), socket.create_connection(self._server) as server:
            self._sockets.append(server)
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._sockets.append(client)
            scram: _Scram | None = None
            through = not self._user
            while True:
                message = _read(client)
                command = _command(message)
                name = next(iter(command), "")
                if command and name.lower() in {"hello", "ismaster"}:
                    if command.get("saslSupportedMechs"):
                        server.sendall(message)
                        answer = _document(_read(server)) | {"saslSupportedMechs": ["SCRAM-SHA-256"]}
                        client.sendall(_reply(message, answer))
                        continue
                elif name == "saslStart":
                    scram = _Scram(self._user, self._password)
                    client.sendall(_reply(message, scram.start(bytes(command["payload"]))))
                    continue
                elif name == "saslContinue" and scram is not None:
                    answer = scram.go_on(bytes(command["payload"]))
                    through = scram.through
                    self.signed_in += through
                    client.sendall(_reply(message, answer))
                    continue
                elif not through:
                    refusal = {
                        "ok": 0.0,
                        "code": NOT_ALLOWED,
                        "codeName": "Unauthorized",
                        "errmsg": f"command {name} requires authentication",
                    }
                    client.sendall(_reply(message, refusal))
                    continue
                server.sendall(message)
                client.sendall(_read(server))


class _Scram:
    """The server's side of one SCRAM-SHA-256 exchange."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._salt = os.urandom(16)
        self._salted = hashlib.pbkdf2_hmac("sha256", password.encode(), self._salt, ITERATIONS)
        self._nonce = self._said = ""
        self.through = False

    def start(self, payload: bytes) -> dict[str, Any]:
        bare = payload.decode().removeprefix("n,,")
        fields = _fields(bare)
        self._named = fields["n"].replace("=2C", ",").replace("=3D", "=")
        self._nonce = fields["r"] + b64encode(os.urandom(18)).decode()
        first = f"r={self._nonce},s={b64encode(self._salt).decode()},i={ITERATIONS}"
        self._said = f"{bare},{first}"
        return {"conversationId": 1, "done": False, "payload": first.encode(), "ok": 1.0}

    def go_on(self, payload: bytes) -> dict[str, Any]:
        text = payload.decode()
        without_proof, _, proof = text.rpartition(",p=")
        signed = f"{self._said},{without_proof}".encode()
        key = hmac.digest(self._salted, b"Client Key", "sha256")
        stored = hashlib.sha256(key).digest()
        signature = hmac.digest(stored, signed, "sha256")
        expected = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        right = self._named == self._user and _fields(without_proof)["r"] == self._nonce
        if not right or not hmac.compare_digest(b64decode(proof), expected):
            return {
                "ok": 0.0,
                "code": NOT_AUTHENTICATED,
                "codeName": "AuthenticationFailed",
                "errmsg": "Authentication failed.",
            }
        self.through = True
        server_key = hmac.digest(self._salted, b"Server Key", "sha256")
        final = b64encode(hmac.digest(server_key, signed, "sha256")).decode()
        return {"conversationId": 1, "done": True, "payload": f"v={final}".encode(), "ok": 1.0}


def _fields(text: str) -> dict[str, str]:
    return {part[0]: part[2:] for part in text.split(",")}


def _read(connection: socket.socket) -> bytes:
    header = _exactly(connection, HEADER.size)
    return header + _exactly(connection, HEADER.unpack(header)[0] - HEADER.size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = connection.recv(size - len(read))
        if not part:
            raise EOFError
        read += part
    return read


def _command(message: bytes) -> dict[str, Any]:
    """The command of a message; empty where it is none that this gate reads."""
    code = HEADER.unpack_from(message)[3]
    if code == OP_MSG:
        return _document(message)
    if code == OP_QUERY:  # the first hello of a connection
        start = message.index(b"\0", HEADER.size + 4) + 9
        return bson.decode(message[start:])
    return {}


def _document(message: bytes) -> dict[str, Any]:
    """The body of an OP_MSG: its first section, after the flags and the section's kind."""
    code = HEADER.unpack_from(message)[3]
    start = HEADER.size + (20 if code == OP_REPLY else 5)
    (size,) = struct.unpack_from("<i", message, start)
    return bson.decode(message[start : start + size])


def _reply(to: bytes, document: dict[str, Any]) -> bytes:
    _, request, _, code = HEADER.unpack_from(to)
    body = bson.encode(document)
    if code == OP_QUERY:
        head = struct.pack("<iqii", 8, 0, 0, 1)
        return HEADER.pack(HEADER.size + len(head) + len(body), 0, request, OP_REPLY) + head + body
    body = struct.pack("<iB", 0, 0) + body
    return HEADER.pack(HEADER.size + len(body), 0, request, OP_MSG) + body
