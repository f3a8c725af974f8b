"""The service over HTTP: AWS's JSON protocol, version 1.1."""

import json
import re
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from botocore.model import OperationModel

from tests.rekognition_server.faults import Fault, Faults, ServiceError
from tests.rekognition_server.operations import Operations
from tests.rekognition_server.shapes import answer_bytes, error_status, operation_model, request_parameters

__all__ = ["ACCESS_KEY", "RekognitionServer", "Request"]

ACCESS_KEY = "AKIAGRIDROLLTEST0000"
"""The one key the server knows. Signatures are asked for, but not computed: it guards nothing."""

_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/[\w-]+/rekognition/aws4_request, "
    r"SignedHeaders=\S+, Signature=[0-9a-f]{64}"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One that arrived. `at`: seconds of the monotonic clock."""

    operation: str
    parameters: dict[str, Any]
    at: float


class RekognitionServer(ThreadingHTTPServer):
    """Serves on loopback from `with` to its end. `folder`: for vectors; `port`: 0 takes a free one.

    `requests`: all that were understood, in order of arrival; `connections`: how many were opened, and
    `open_connections` still are; `busiest`: how many requests were under way at once.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, port: int = 0, page_size: int = 4096) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.operations = Operations(folder, page_size)
        self.faults = Faults()
        self.requests: list[Request] = []
        self.connections = 0
        self.open_connections = 0
        self.busiest = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, operation: str) -> list[Request]:
        """The requests of one operation so far."""
        with self._lock:
            return [request for request in self.requests if request.operation == operation]

    def __enter__(self) -> "RekognitionServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()

    def began(self, operation: str, parameters: dict[str, Any]) -> None:
        with self._lock:
            self.requests.append(Request(operation, parameters, time.monotonic()))
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)

    def ended(self) -> None:
        with self._lock:
            self._busy -= 1

    def connected(self) -> None:
        with self._lock:
            self.connections += 1
            self.open_connections += 1

    def disconnected(self) -> None:
        with self._lock:
            self.open_connections -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True
    server: RekognitionServer

    def setup(self) -> None:
        super().setup()
        self.server.connected()

    def finish(self) -> None:
        self.server.disconnected()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            reply = self._reply_to(body)
        except AssertionError as error:  # this server's mistake or its test's, shown to whoever meets it
            reply = 418, json.dumps({"__type": "ServerMistake", "message": str(error)}).encode()
        if reply is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(*reply)

    def _reply_to(self, body: bytes) -> tuple[int, bytes] | None:
        """Status and content; None: break the connection."""
        operation: OperationModel | None = None
        try:
            operation = operation_model(self.headers.get("X-Amz-Target", ""))
            self._authenticate()
            parameters = request_parameters(operation, body)
            fault = self.server.faults.take(operation.name) or Fault(work=True)
            self.server.began(operation.name, dict(parameters))
            try:
                time.sleep(fault.delay_s)
                if error := fault.error(operation.name):
                    raise error
                answer = fault.answer or {}
                if fault.work:
                    answer = self.server.operations(operation.name, parameters)
            finally:
                self.server.ended()
            return None if fault.drop else (200, answer_bytes(operation, answer))
        except ServiceError as refusal:
            content = {"__type": refusal.code, "Code": refusal.code, "message": refusal.message}
            return error_status(operation, refusal), json.dumps(content).encode()

    def _authenticate(self) -> None:
        signed = _SIGNATURE.fullmatch(self.headers.get("Authorization", ""))
        if signed is None:
            raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if signed["key"] != ACCESS_KEY:
            raise ServiceError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )

    def _send(self, status: int, content: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-amzn-RequestId", str(uuid4()))
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # a client that waited long enough

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
