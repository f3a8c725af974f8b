"""The identity memory: what is known of each tracked face, so that it is not asked about, or paid for, again."""

from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from db.face_cache import FaceCache

__all__ = ["IdentityMemory", "Remembered"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A tracked face. `template`: the engine's, over `looks` looks. `verdict` as in `db.rules`."""

    verdict: str
    student_id: int | None
    looks: int
    template: bytes | None


class IdentityMemory:
    """Remembered faces of a session by track, in the face cache's server. Safe to share between threads."""

    def __init__(self, cache: FaceCache) -> None:
        self._cache = cache

    def recall(self, session_id: int, tracks: Collection[str]) -> dict[str, Remembered]:
        """What is known of these tracks; tracks never asked about are missing. One query."""
        documents = self._cache.recall([f"{session_id}:{track}" for track in tracks])
        return {key.split(":", 1)[1]: _remembered(document) for key, document in documents.items()}

    def remember(self, session_id: int, faces: Mapping[str, Remembered]) -> None:
        """Replace what is known of these tracks. One write."""
        self._cache.remember({f"{session_id}:{track}": _document(face) for track, face in faces.items()})


def _document(face: Remembered) -> dict[str, Any]:
    # As text: nx-27017 0.8 takes binary values in a new document, but refuses them in one that is replaced.
    template = None if face.template is None else b64encode(face.template).decode("ascii")
    return {**asdict(face), "template": template}


def _remembered(document: Mapping[str, Any]) -> Remembered:
    student, template = document["student_id"], document["template"]
    return Remembered(
        verdict=str(document["verdict"]),
        student_id=None if student is None else int(student),
        looks=int(document["looks"]),
        template=None if template is None else b64decode(template),
    )
