"""What the cache's documents look like: of faces, and of the identity memory."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne, UpdateOne

__all__ = ["CachedFace", "FaceStamp", "Note", "face_of", "note_of", "note_write", "pipeline", "replacement"]

FORMAT = 2
"""Of a face's document: what another version of Gridroll wrote is taken for missing, and written anew."""
MEMORY, FACES = "identity_memory", "faces"


@dataclass(frozen=True, slots=True)
class FaceStamp:
    """What the database says of a face, by which a copy elsewhere is held to be up to date."""

    student_id: int
    student_no: str
    name: str
    engine: str
    indexed_at: datetime

    def __post_init__(self) -> None:
        # MongoDB keeps milliseconds, the database microseconds.
        moment = self.indexed_at.replace(microsecond=self.indexed_at.microsecond // 1000 * 1000)
        object.__setattr__(self, "indexed_at", moment)


@dataclass(frozen=True, slots=True)
class CachedFace:
    """Whose face a FaceId is. `quality`: 0 to 1, None where it was not measured; see `recognizer.quality`."""

    face_id: str
    student_id: int
    student_no: str
    name: str
    engine: str
    model: str
    quality: float | None
    indexed_at: datetime

    @property
    def stamp(self) -> FaceStamp:
        return FaceStamp(self.student_id, self.student_no, self.name, self.engine, self.indexed_at)

    def says_the_same(self, other: "CachedFace") -> bool:
        return (self.stamp, self.model, self.quality) == (other.stamp, other.model, other.quality)


@dataclass(frozen=True, slots=True)
class Note:
    """A document of a session's identity memory. `held`: the content; None of one that was forgotten.

    `student_id`, `likeliest_id`: who it is or may be about, so that they can be forgotten. `updated_at`: by the server's
    clock; None of one that was not written yet.
    """

    key: str
    held: Mapping[str, Any] | None
    student_id: int | None = None
    likeliest_id: int | None = None
    updated_at: datetime | None = None


def replacement(face: CachedFace) -> ReplaceOne[dict[str, Any]]:
    document = asdict(face)
    document["_id"] = document.pop("face_id")
    return ReplaceOne({"_id": face.face_id}, {**document, "format": FORMAT}, upsert=True)


def face_of(document: Mapping[str, Any]) -> CachedFace | None:
    """None for a document of another version, or of something else."""
    if document.get("format") != FORMAT:
        return None
    quality = document["quality"]
    return CachedFace(
        face_id=str(document["_id"]),
        student_id=int(document["student_id"]),
        student_no=str(document["student_no"]),
        name=str(document["name"]),
        engine=str(document["engine"]),
        model=str(document["model"]),
        quality=None if quality is None else float(quality),
        indexed_at=document["indexed_at"],
    )


def note_write(session_id: int, writer: str, note: Note) -> UpdateOne:
    """Stamped with the server's time: the clocks of the machines that write need not agree."""
    fields = {
        "session_id": session_id,
        "writer": writer,
        "held": note.held,
        "student_id": note.student_id,
        "likeliest_id": note.likeliest_id,
    }
    return UpdateOne({"_id": note.key}, {"$set": fields, "$currentDate": {"updated_at": True}}, upsert=True)


def note_of(document: Mapping[str, Any]) -> Note:
    return Note(
        key=str(document["_id"]),
        held=document["held"],
        student_id=document["student_id"],
        likeliest_id=document["likeliest_id"],
        updated_at=document["updated_at"],
    )


def pipeline(notes: Mapping[str, Any], face_ids: Collection[str]) -> list[dict[str, Any]]:
    """Asks the identity memory and the faces in one query."""
    faces = {"coll": FACES, "pipeline": [{"$match": {"_id": {"$in": sorted(face_ids)}}}]}
    return [{"$match": notes}, {"$unionWith": faces}]
