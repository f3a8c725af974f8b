"""Searches of one look, side by side, and never paid for twice."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256

from recognizer.rekognition.calls import REKOGNITION, Calls, Reply
from recognizer.rekognition.collection import model_name
from recognizer.rekognition.crops import Portrait

__all__ = ["Found", "Searches"]

MATCHES = 50
"""Matches asked for: in a collection of everybody's faces, the class's runner-up should be among them."""

KEPT_SEARCHES = 256
"""Searches kept of looks that failed half-way: some five of the largest gallery."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one search said: similarities in percent by face or user id, None where no face was searched."""

    similarities: Mapping[str, float] | None
    model: str
    billed: int


class Searches:
    """Searches faces or, with `users`, students in the collection, `workers` at once. Safe to share between threads."""

    def __init__(self, calls: Calls, users: bool, workers: int) -> None:
        self._calls = calls
        self._users = users
        self._workers = workers
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._paid: dict[bytes, Future[Found]] = {}
        self._model = REKOGNITION

    def run(self, portraits: Sequence[Portrait], session_id: int | None) -> list[Found]:
        """Search side by side. When one fails, what the others found is kept for the same look's next try."""
        keys = [sha256(portrait.content).digest() for portrait in portraits]
        pool = self._made_pool()
        with self._lock:
            futures = [
                found
                if (found := self._paid.pop(key, None))
                else pool.submit(self._seek, portrait, session_id)
                for key, portrait in zip(keys, portraits, strict=True)
            ]
        wait(futures, return_when=FIRST_EXCEPTION)
        for future in futures:
            future.cancel()
        wait(futures)
        ended = {key: one for key, one in zip(keys, futures, strict=True) if not one.cancelled()}
        for error in [one.exception() for one in ended.values()]:
            if error is not None:
                self._keep({key: one for key, one in ended.items() if one.exception() is None})
                raise error
        return [future.result() for future in futures]

    def forget(self) -> None:
        """Drop what was kept: the collection has changed."""
        with self._lock:
            self._paid.clear()

    def _keep(self, found: Mapping[bytes, Future[Found]]) -> None:
        with self._lock:
            self._paid.update(found)
            for key in list(self._paid)[:-KEPT_SEARCHES]:
                del self._paid[key]

    def _seek(self, portrait: Portrait, session_id: int | None) -> Found:
        """Search one face. Thresholds are 0 and filters off: the decision needs to see runner-ups, and tiles are poor."""
        image = {"Bytes": portrait.content}
        if self._users:
            reply = self._calls.send(
                "SearchUsersByImage",
                session_id=session_id,
                Image=image,
                MaxUsers=MATCHES,
                UserMatchThreshold=0.0,
                QualityFilter="NONE",
            )
            searched = reply.content.get("SearchedFace", {}).get("FaceDetail", {}).get("BoundingBox")
            matches = {
                str(match["User"]["UserId"]): float(match["Similarity"])
                for match in reply.content.get("UserMatches", ())
            }
        else:
            reply = self._calls.send(
                "SearchFacesByImage",
                session_id=session_id,
                Image=image,
                MaxFaces=MATCHES,
                FaceMatchThreshold=0.0,
                QualityFilter="NONE",
            )
            searched = reply.content.get("SearchedFaceBoundingBox")
            matches = {
                str(match["Face"]["FaceId"]): float(match["Similarity"])
                for match in reply.content.get("FaceMatches", ())
            }
        # The service searches the largest face it sees: a neighbour's is no answer about this one.
        seen = searched is not None and portrait.shows(searched)
        return Found(matches if seen else None, self._model_of(reply), reply.billed)

    def _model_of(self, reply: Reply) -> str:
        if version := reply.content.get("FaceModelVersion"):
            self._model = model_name(str(version))
        return self._model

    def _made_pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=REKOGNITION)
            return self._pool

    def close(self) -> None:
        """End the threads; searches that wait for one are given up."""
        with self._lock:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                self._pool = None
