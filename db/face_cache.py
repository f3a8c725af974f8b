"""The face-metadata cache in MongoDB: FaceId to student, one key-value document each, and the identity memory.

The database's `faces` table is the truth; a document that is missing or disagrees is filled from there, so an empty or
lost cache costs time and nothing else. What was found stays in this process, so that a look asks the server once.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from pymongo import ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from db.embedded_mongo import EmbeddedMongo
from db.face_documents import (
    FACES,
    MEMORY,
    CachedFace,
    FaceStamp,
    Note,
    face_of,
    note_of,
    note_write,
    pipeline,
    replacement,
)
from db.mongo import CacheError, Documents, MongoServer

__all__ = ["MEMORY_TTL_S", "CachedFace", "FaceCache", "FaceStamp", "Note", "Refreshed", "open_cache"]

Missing = Callable[[Collection[str]], Iterable[CachedFace]]
Result = TypeVar("Result")
Writes = list[ReplaceOne[dict[str, Any]]] | list[UpdateOne]

MEMORY_TTL_S = 12 * 3600
OVERLAP = timedelta(seconds=10)
"""How far changes are asked for again: a write carries the server's time and can be seen only a moment later."""
LONG_S = 60.0
"""For what goes through all documents; nobody in class waits for that."""
MOST_FACES, MOST_UNWRITTEN = 50_000, 20_000
DUPLICATE = 11000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a look starts from. `notes`: those that changed; None: the server is away."""

    faces: dict[str, CachedFace]
    notes: list[Note] | None


class FaceCache:
    """Documents of faces and of the identity memory. Safe to share between threads.

    `refresh`, `put` and `remember` go on without the server where it is away: that is logged once, and once when it is
    back; what could not be written then is. Everything else raises CacheError.
    """

    def __init__(self, url: str, database: str | None = None, owned: EmbeddedMongo | None = None) -> None:
        self._server = MongoServer(url, database, owned)
        self._lock = RLock()
        self._known: dict[str, CachedFace] = {}
        self._unwritten_faces: dict[str, CachedFace] = {}
        self._unwritten_notes: dict[str, tuple[int, str, Note]] = {}
        self._away = False

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def database(self) -> str:
        return self._server.database

    @property
    def place(self) -> str:
        """The address without what signs in to it."""
        return self._server.place

    def prepare(self) -> None:
        """Make the indexes and remove what has expired; safe to repeat."""
        old = datetime.now(UTC) - timedelta(seconds=MEMORY_TTL_S)

        def make(documents: Documents) -> None:
            faces, memory = documents[FACES], documents[MEMORY]
            faces.create_index("student_id")
            memory.create_index("student_id")
            memory.create_index("likeliest_id")
            memory.create_index([("session_id", 1), ("updated_at", 1)])
            memory.create_index("updated_at", expireAfterSeconds=MEMORY_TTL_S)
            # nx-27017 expires documents only when their collection is asked for something.
            memory.delete_many({"updated_at": {"$lt": old}})

        self._server.run(make, LONG_S)

    def try_to_prepare(self) -> None:
        """`prepare`, or go on without the server."""
        self._tolerant(self.prepare)

    def refresh(
        self,
        session_id: int,
        writer: str,
        since: datetime | None,
        wanted: Mapping[str, FaceStamp],
        missing: Missing,
    ) -> Refreshed:
        """What changed in a session's identity memory, and the faces by id, in one query at most.

        `writer`: whose own notes are left out; `since`: `updated_at` of the newest note seen, None for all notes, one's
        own too. `wanted`: what the database says of the faces; `missing` looks up there what neither this process nor
        the server has so.
        """
        with self._lock:
            known = {face_id: self._known.get(face_id) for face_id in wanted}
        faces = {key: face for key, face in known.items() if face is not None and face.stamp == wanted[key]}
        changed: dict[str, Any] = {"session_id": session_id}
        if since is not None:
            changed |= {"updated_at": {"$gte": since - OVERLAP}, "writer": {"$ne": writer}}
        lacking = wanted.keys() - faces.keys()
        found = self._tolerant(
            lambda: self._server.run(lambda documents: _asked(documents, changed, lacking))
        )
        read = [face for face in map(face_of, found or ()) if face is not None]
        faces |= {face.face_id: face for face in read if face.stamp == wanted.get(face.face_id)}
        if lacking := wanted.keys() - faces.keys():
            filled = {face.face_id: face for face in missing(lacking)}
            faces |= filled
            if found is not None:
                self._keep(self._unwritten_faces, filled)
        self._know(faces)
        notes = None if found is None else [note_of(one) for one in found if "session_id" in one]
        return Refreshed(faces, notes)

    def put(self, faces: Iterable[CachedFace]) -> None:
        """Write or overwrite documents, now or when the server is back."""
        by_id = {face.face_id: face for face in faces}
        self._know(by_id)
        self._keep(self._unwritten_faces, by_id)
        self._write_faces()

    def remember(self, session_id: int, writer: str, notes: Iterable[Note]) -> None:
        """Write notes of a session, now or when the server is back; they expire half a day after the last writing.

        Where there are none to be written, faces that wait for it are. One write at most.
        """
        self._keep(self._unwritten_notes, {note.key: (session_id, writer, note) for note in notes})
        with self._lock:
            waiting = dict(self._unwritten_notes)
        if not waiting:
            self._write_faces()
        elif self._written(MEMORY, [note_write(*one) for one in waiting.values()]):
            self._strike(self._unwritten_notes, waiting)

    def give_up(self, keys: Collection[str]) -> None:
        """Do not write these notes any more: somebody else did meanwhile."""
        with self._lock:
            for key in keys:
                self._unwritten_notes.pop(key, None)

    def forget(self, student_id: int) -> None:
        """Remove every document about a student. Of the identity memory's, empty ones stay until they expire.

        From those the programs that watch learn that there is something to forget.
        """
        with self._lock:
            for faces in (self._known, self._unwritten_faces):
                for face_id in [key for key, face in faces.items() if face.student_id == student_id]:
                    del faces[face_id]
            notes = self._unwritten_notes
            self.give_up(
                [
                    key
                    for key, (_, _, note) in notes.items()
                    if student_id in (note.student_id, note.likeliest_id)
                ]
            )

        def remove(documents: Documents) -> None:
            documents[FACES].delete_many({"student_id": student_id})
            # Not one field with both: nx-27017 does not look into arrays.
            query = {"$or": [{"student_id": student_id}, {"likeliest_id": student_id}]}
            about = list(documents[MEMORY].find(query, {"session_id": 1}))
            if about:
                empty = [note_write(one["session_id"], "", Note(str(one["_id"]), None)) for one in about]
                documents[MEMORY].bulk_write(empty, ordered=False)

        self._server.run(remove, LONG_S)

    def face_ids(self) -> set[str]:
        """The ids of all faces that have a document."""
        return self._server.run(
            lambda documents: {str(one["_id"]) for one in documents[FACES].find({}, {"_id": 1})}, LONG_S
        )

    def stale(self, faces: Collection[CachedFace]) -> list[CachedFace]:
        """Those of the faces that have no document, or one that says something else."""
        wanted = {face.face_id: face for face in faces}
        query = {"_id": {"$in": sorted(wanted)}}
        found = self._server.run(lambda documents: list(documents[FACES].find(query)), LONG_S)
        held = {face.face_id: face for face in map(face_of, found) if face is not None}
        return [face for key, face in wanted.items() if key not in held or not face.says_the_same(held[key])]

    def write(self, faces: Collection[CachedFace]) -> None:
        """As `put`, but now or not at all."""
        writes = [replacement(face) for face in faces]
        if writes:
            self._server.run(lambda documents: _bulk(documents, FACES, writes), LONG_S)

    def drop(self, face_ids: Collection[str]) -> None:
        """Remove the documents of faces."""
        query = {"_id": {"$in": sorted(face_ids)}}
        self._server.run(lambda documents: documents[FACES].delete_many(query), LONG_S)

    def ping(self) -> None:
        """Read something: an address, a password or a right that is wrong is found."""
        self._server.run(lambda documents: documents[FACES].find_one({}, {"_id": 1}))

    def close(self) -> None:
        self._server.close()

    def _tolerant(self, action: Callable[[], Result]) -> Result | None:
        """None where the server is away, which is said once; and once when it is back."""
        try:
            result = action()
        except CacheError as error:
            with self._lock:
                first, self._away = not self._away, True
            if first:
                _log.warning("%s; going on without it, slower", error.problem)
            return None
        with self._lock:
            back, self._away = self._away, False
        if back:
            _log.warning("the face cache at %s answers again", self.place)
        return result

    def _know(self, faces: Mapping[str, CachedFace]) -> None:
        with self._lock:
            if len(self._known) + len(faces) > MOST_FACES:
                self._known.clear()
            self._known.update(faces)

    def _keep(self, waiting: dict[str, Result], writes: Mapping[str, Result]) -> None:
        """Note what is to be written; the oldest are given up where that grows too long."""
        with self._lock:
            waiting.update(writes)
            for key in list(islice(waiting, max(0, len(waiting) - MOST_UNWRITTEN))):
                del waiting[key]

    def _strike(self, waiting: dict[str, Result], written: Mapping[str, Result]) -> None:
        """Note what was written, unless there is a newer version to be written by now."""
        with self._lock:
            for key, one in written.items():
                if waiting.get(key) is one:
                    del waiting[key]

    def _write_faces(self) -> None:
        with self._lock:
            waiting = dict(self._unwritten_faces)
        if waiting and self._written(FACES, [replacement(face) for face in waiting.values()]):
            self._strike(self._unwritten_faces, waiting)

    def _written(self, name: str, writes: Writes) -> bool:
        return bool(
            self._tolerant(lambda: self._server.run(lambda documents: _bulk(documents, name, writes)))
        )


def open_cache(url: str, folder: Path) -> FaceCache:
    """The cache at `url`; with an empty url, the embedded server's, kept in `folder`."""
    if url:
        return FaceCache(url)
    server = EmbeddedMongo(folder)
    return FaceCache(server.url, owned=server)


def _asked(documents: Documents, notes: Mapping[str, Any], face_ids: Collection[str]) -> list[dict[str, Any]]:
    if not face_ids:
        return list(documents[MEMORY].find(notes))
    return list(documents[MEMORY].aggregate(pipeline(notes, face_ids)))


def _bulk(documents: Documents, name: str, writes: Writes) -> bool:
    try:
        documents[name].bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        # Two programs made the same document at once: now that it is there, it is overwritten.
        if any(one.get("code") != DUPLICATE for one in error.details["writeErrors"]):
            raise
        documents[name].bulk_write(writes, ordered=False)
    return True
