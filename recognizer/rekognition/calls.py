"""Requests to Rekognition: within the rate, tried again where that helps, and accounted for."""

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.settings import Settings
from recognizer.metering import Call, Meter
from recognizer.rate import RateLimiter
from recognizer.rekognition.errors import explain

__all__ = ["REKOGNITION", "Calls", "Reply"]

REKOGNITION = "rekognition"

BILLED = frozenset(
    {
        "AssociateFaces",
        "CompareFaces",
        "DetectFaces",
        "DisassociateFaces",
        "IndexFaces",
        "SearchFacesByImage",
        "SearchUsersByImage",
    }
)
"""Operations that AWS lists with a price per image (its price list for Rekognition Image); the others are free."""

CONNECT_TIMEOUT_S = 5
MAX_WAIT_S = 20.0

_NO_FACE = re.compile(r"\bno faces?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered. `billed`: images it bills for that. `no_face`: it found none, and says nothing else."""

    content: Mapping[str, Any]
    billed: int
    no_face: bool = False


@dataclass(slots=True)
class _Attempts:
    """Of one call: how often it was `sent`, and how many answers were `lost` after the service may have worked."""

    sent: int = 0
    lost: int = 0


class _Current(threading.local):
    """Each thread's call. Without slots, which threads would share."""

    def __init__(self) -> None:
        self.attempts = _Attempts()


class Calls:
    """Sends requests over reused connections. Safe to share between threads; the client is made at the first call.

    Throttling, 5xx, dropped and timed-out connections are tried again by botocore's standard mode: exponential
    backoff with full jitter, and a quota that stops retries when everything fails. Every attempt waits for its turn
    within the rate. A request whose answer was lost may have been carried out, so it counts as billed.
    """

    def __init__(self, settings: Settings, meter: Meter | None = None, workers: int = 1) -> None:
        self._settings = settings
        self._meter = meter
        self._workers = workers
        self._rate = RateLimiter(settings.rekognition_rate_per_s)
        self._lock = threading.Lock()
        self._client: Any = None
        self._current = _Current()

    @property
    def where(self) -> str:
        """The endpoint or region that is asked, for people."""
        return (
            self._settings.rekognition_endpoint_url
            or self._settings.rekognition_region
            or "AWS's default region"
        )

    def send(self, operation: str, *, session_id: int | None = None, **parameters: Any) -> Reply:
        """One request, as `IndexFaces`, on the configured collection where it takes one. Raises RekognitionError."""
        from botocore import xform_name
        from botocore.exceptions import BotoCoreError, ClientError

        attempts = self._current.attempts = _Attempts()
        price = self._settings.rekognition_price_per_1000 / 1000
        reply = Reply({}, 0)
        outcome, failure = "ok", None
        try:
            client = self._made_client()
            if "CollectionId" in client.meta.service_model.operation_model(operation).input_shape.members:
                parameters["CollectionId"] = self._settings.rekognition_collection
            content = getattr(client, xform_name(operation))(**parameters)
            reply = Reply(content, int(operation in BILLED))
        except (ClientError, BotoCoreError, ValueError) as error:
            explained = explain(error, operation, self.where, self._settings.rekognition_collection)
            outcome = explained.code
            if outcome == "InvalidParameterException" and _says_no_face(operation, error):
                reply = Reply({}, int(operation in BILLED), no_face=True)
            else:
                failure = (explained, error)
        reply = Reply(reply.content, reply.billed + attempts.lost * (operation in BILLED), reply.no_face)
        if self._meter is not None and attempts.sent:
            self._meter.record(
                Call(
                    at=datetime.now(UTC),
                    engine=REKOGNITION,
                    operation=operation,
                    attempts=attempts.sent,
                    billed=reply.billed,
                    price=reply.billed * price,
                    outcome=outcome,
                    session_id=session_id,
                )
            )
        if failure is not None:
            raise failure[0] from failure[1]
        return reply

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _made_client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> Any:
        import boto3
        from botocore.config import Config

        settings = self._settings
        client: Any = boto3.Session().client(
            "rekognition",
            region_name=settings.rekognition_region or None,
            endpoint_url=settings.rekognition_endpoint_url or None,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=settings.rekognition_timeout_s,
                max_pool_connections=self._workers + 1,  # and whoever is not a worker
                retries={"mode": "standard", "total_max_attempts": settings.rekognition_max_attempts},
            ),
        )
        events = client.meta.events
        # First, so that a request waits for its turn before it is signed: signatures age.
        events.register_first(f"request-created.{REKOGNITION}", self._before_signing)
        events.register(f"before-send.{REKOGNITION}", self._before_sending)
        events.register(f"response-received.{REKOGNITION}", self._after_attempt)
        events.register(f"needs-retry.{REKOGNITION}", self._wait_for_change)
        return client

    def _before_signing(self, **_: Any) -> None:
        self._rate.wait()

    def _before_sending(self, **_: Any) -> None:
        self._current.attempts.sent += 1

    def _after_attempt(self, exception: Exception | None, **_: Any) -> None:
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError, ResponseStreamingError

        if isinstance(exception, ConnectionClosedError | ReadTimeoutError | ResponseStreamingError):
            self._current.attempts.lost += 1

    def _wait_for_change(self, response: Any, operation: Any, attempts: int, **_: Any) -> float | None:
        """How long to wait until a user that is still being changed can be changed again; None: it is not that."""
        if response is None or operation.name == "CreateUser":
            return None
        code = response[1].get("Error", {}).get("Code")
        if code != "ConflictException" or attempts >= self._settings.rekognition_max_attempts:
            return None
        return random.uniform(0, min(MAX_WAIT_S, 2.0 ** (attempts - 1)))


def _says_no_face(operation: str, error: Exception) -> bool:
    """Whether bad input means a picture without a face; of CompareFaces it means nothing else, whatever it says."""
    return operation == "CompareFaces" or bool(_NO_FACE.search(str(error)))
