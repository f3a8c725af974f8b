"""The face-metadata cache in MongoDB: FaceId to student, one key-value document each.

The database's `faces` table is the truth; a document that is missing is filled from there, so an empty or lost
cache costs time and nothing else.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from pymongo import MongoClient, ReplaceOne
from pymongo.errors import ConnectionFailure, ExecutionTimeout, NetworkTimeout, PyMongoError

from db.embedded_mongo import EmbeddedMongo
from db.errors import ConfigError, StoreError

__all__ = ["CachedFace", "FaceCache", "open_cache"]

Result = TypeVar("Result")

TIMEOUT_MS = 5000
MEMORY_TTL_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class CachedFace:
    """Whose face a FaceId is."""

    face_id: str
    student_id: int
    student_no: str
    name: str
    engine: str
    model: str
    indexed_at: datetime


class FaceCache:
    """Documents of faces and of the identity memory. Safe to share between threads.

    Raises StoreError when the server is away.
    """

    def __init__(self, url: str, database: str = "gridroll", owned: EmbeddedMongo | None = None) -> None:
        self._owned = owned
        self._database = database
        self._connect(url)

    def _connect(self, url: str) -> None:
        self.url = url
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                url, tz_aware=True, tzinfo=UTC, serverSelectionTimeoutMS=TIMEOUT_MS, timeoutMS=TIMEOUT_MS
            )
        except (PyMongoError, ValueError) as error:
            raise ConfigError(
                f"cache_url {_place(url)!r} cannot be used; write mongodb://host:port"
            ) from error
        self._faces = self._client[self._database]["faces"]
        self._memory = self._client[self._database]["identity_memory"]

    def _try(self, action: Callable[[], Result]) -> Result:
        """Do something with the server. The embedded one is started again, once, where it has gone away.

        Raises CacheAwayError; every action may be repeated.
        """
        try:
            return action()
        except PyMongoError as error:
            if self._owned is None or not isinstance(
                error, ConnectionFailure | ExecutionTimeout | NetworkTimeout
            ):
                raise CacheAwayError(self._away(error)) from error
        self._client.close()
        self._connect(self._owned.revive())
        try:
            return action()
        except PyMongoError as error:
            raise CacheAwayError(self._away(error)) from error

    def _away(self, error: PyMongoError) -> str:
        return f"the face cache at {_place(self.url)} does not answer ({str(error)[:120]}); start it again"

    def prepare(self) -> None:
        """Make the indexes and remove what has expired; safe to repeat."""
        self._try(lambda: self._faces.create_index("student_id"))
        self._try(lambda: self._memory.create_index("student_id"))
        self._try(lambda: self._memory.create_index("updated_at", expireAfterSeconds=MEMORY_TTL_S))
        # nx-27017 expires documents only when their collection is asked for something.
        old = datetime.now(UTC) - timedelta(seconds=MEMORY_TTL_S)
        self._try(lambda: self._memory.delete_many({"updated_at": {"$lt": old}}))

    def find(
        self, owners: Mapping[str, int], missing: Callable[[Collection[str]], Iterable[CachedFace]]
    ) -> dict[str, CachedFace]:
        """The faces by id, in at most one query. `owners`: whose they are, student id by face id, as the database says.

        `missing` looks up in the database what the cache lacks, or has as somebody else's.
        """
        if not owners:
            return {}
        documents = self._try(lambda: list(self._faces.find({"_id": {"$in": sorted(owners)}})))
        found = {
            face.face_id: face for face in map(_face, documents) if owners[face.face_id] == face.student_id
        }
        if lacking := owners.keys() - found.keys():
            filled = list(missing(lacking))
            self.put(filled)
            found |= {face.face_id: face for face in filled}
        return found

    def put(self, faces: Iterable[CachedFace]) -> None:
        """Write or overwrite documents."""
        writes: list[ReplaceOne[dict[str, Any]]] = []
        for face in faces:
            document = asdict(face)
            document["_id"] = document.pop("face_id")
            writes.append(ReplaceOne({"_id": document["_id"]}, document, upsert=True))
        if writes:
            self._try(lambda: self._faces.bulk_write(writes, ordered=False))

    def forget(self, student_id: int) -> None:
        """Remove every document about a student, the identity memory's too."""
        self._try(lambda: self._faces.delete_many({"student_id": student_id}))
        self._try(lambda: self._memory.delete_many({"student_id": student_id}))

    def recall(self, keys: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Identity-memory documents by key, in one query."""
        if not keys:
            return {}
        found = self._try(lambda: list(self._memory.find({"_id": {"$in": sorted(keys)}})))
        return {str(document["_id"]): document for document in found}

    def remember(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        """Write identity-memory documents by key; they expire half a day after the last writing."""
        now = datetime.now(UTC)
        writes = [
            ReplaceOne({"_id": key}, {**document, "_id": key, "updated_at": now}, upsert=True)
            for key, document in documents.items()
        ]
        if writes:
            self._try(lambda: self._memory.bulk_write(writes, ordered=False))

    def ping(self) -> None:
        self._try(lambda: self._client.admin.command("ping"))

    def close(self) -> None:
        self._client.close()
        if self._owned is not None:
            self._owned.close()


def open_cache(url: str, folder: Path) -> FaceCache:
    """The cache at `url`; with an empty url, the embedded server's, kept in `folder`."""
    if url:
        return FaceCache(url)
    server = EmbeddedMongo(folder)
    return FaceCache(server.url, owned=server)


class CacheAwayError(StoreError):
    """The cache's server does not answer; later it may."""

    transient = True


def _place(url: str) -> str:
    """The address without what signs in to it."""
    return url.rsplit("@", 1)[-1].removeprefix("mongodb://")


def _face(document: Mapping[str, Any]) -> CachedFace:
    return CachedFace(
        face_id=str(document["_id"]),
        student_id=int(document["student_id"]),
        student_no=str(document["student_no"]),
        name=str(document["name"]),
        engine=str(document["engine"]),
        model=str(document["model"]),
        indexed_at=document["indexed_at"],
    )
