"""Things that go wrong on request."""

import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

__all__ = ["Fault", "Faults", "ServiceError", "answered", "dropped", "lost", "refused", "slow"]

_MESSAGES = {
    "ThrottlingException": "Rate exceeded",
    "ProvisionedThroughputExceededException": "Provisioned rate exceeded",
    "InternalServerError": "Internal server error",
    "AccessDeniedException": "User: arn:aws:iam::123456789012:user/gridroll is not authorized to perform: "
    "rekognition:{operation} on resource: arn:aws:rekognition:eu-west-1:123456789012:collection/gridroll",
    "ExpiredTokenException": "The security token included in the request is expired",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
}


class ServiceError(Exception):
    """An error the service answers with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Fault:
    """`code`: the error to answer with, None: none. `delay_s`: before the answer. `drop`: break the connection
    instead of answering. `work`: carry the request out all the same. `answer`: what to answer instead, if anything."""

    code: str | None = None
    delay_s: float = 0.0
    drop: bool = False
    work: bool = False
    answer: dict[str, Any] | None = None

    def error(self, operation: str) -> ServiceError | None:
        if self.code is None:
            return None
        message = _MESSAGES.get(self.code, "Request has invalid parameters").format(operation=operation)
        return ServiceError(self.code, message)


def refused(code: str) -> Fault:
    """An error instead of an answer."""
    return Fault(code=code)


def answered(answer: dict[str, Any]) -> Fault:
    """An answer of the test's own, without anything being done; the model must allow it."""
    return Fault(answer=answer)


def slow(seconds: float) -> Fault:
    """A right answer, late."""
    return Fault(delay_s=seconds, work=True)


def dropped() -> Fault:
    """A connection that breaks before anything is done."""
    return Fault(drop=True)


def lost() -> Fault:
    """A connection that breaks when all is done but the answer."""
    return Fault(drop=True, work=True)


class Faults:
    """What is to go wrong next, by operation, each so many times."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}

    def add(self, operation: str, fault: Fault, times: int | None = 1) -> None:
        """`times`: None means from now on."""
        with self._lock:
            if times is None:
                self._always[operation] = fault
            else:
                self._queues[operation].extend([fault] * times)

    def take(self, operation: str) -> Fault | None:
        with self._lock:
            queue = self._queues[operation]
            return queue.popleft() if queue else self._always.get(operation)
