"""Makes the cache's documents of faces anew from the database, and compares that with what the engine knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.database import Database
from db.face_cache import FaceCache
from db.people import cached_faces, face_owners
from recognizer.engine import FaceEngine

__all__ = ["Rebuilt", "rebuild"]

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did, in documents: `written` were missing or stale, `kept` were right, `removed` were nobody's.

    `only_database`: student numbers of faces that the engine has lost, one for each; `only_engine`: the numbers under
    which the engine holds faces that the database does not know.
    """

    written: int
    kept: int
    removed: int
    only_database: tuple[str, ...]
    only_engine: tuple[str, ...]


def rebuild(database: Database, cache: FaceCache, engine: FaceEngine) -> Rebuilt:
    """Write the documents that are missing or stale, and remove those of faces that the database does not know.

    Safe while others watch, enrol and remove: what is read first is what could be too much, and what was written is
    compared with the database once more. Raises the stores' and the engine's errors.
    """
    cache.prepare()
    documents = cache.face_ids()
    indexed = {face.face_id: face.external_id for face in engine.faces()}
    with database.reading() as session:
        owners = face_owners(session)
    removed = sorted(documents - owners.keys())
    for batch in _batches(removed):
        cache.drop(batch)
    written = 0
    for batch in _batches(sorted(owners)):
        with database.reading() as session:
            faces = cached_faces(session, batch)
        stale = cache.stale(faces)
        cache.write(stale)
        written += len(stale)
        with database.reading() as session:
            still = {face.face_id for face in cached_faces(session, [face.face_id for face in stale])}
        if gone := {face.face_id for face in stale} - still:
            cache.drop(gone)
    here = {face_id: number for face_id, (number, name) in owners.items() if name in engine.collections}
    return Rebuilt(
        written=written,
        kept=len(owners) - written,
        removed=len(removed),
        only_database=tuple(sorted(number for face_id, number in here.items() if face_id not in indexed)),
        only_engine=tuple(sorted(number for face_id, number in indexed.items() if face_id not in owners)),
    )


def _batches(face_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (face_ids[start : start + BATCH] for start in range(0, len(face_ids), BATCH))
