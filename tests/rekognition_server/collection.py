"""A collection's faces and users, in memory; who they are is said by the local engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.engine import Probe
from recognizer.local import LocalEngine
from recognizer.observation import FaceCrop
from tests.rekognition_server.pictures import FoundFace

__all__ = ["FACE_MODEL", "Collection", "HeldFace", "similarity"]

FACE_MODEL = "7.0"

LOCAL_PCT = (0.0, 50.0, 80.0, 90.0, 95.0, 100.0)
SIMILARITY_PCT = (0.0, 60.0, 90.0, 97.0, 99.0, 100.0)
"""The local engine's percent and what Rekognition would rather say: at its 99 AWS calls a match safe, from 80 on likely."""


def similarity(local_pct: float) -> float:
    return float(np.interp(local_pct, LOCAL_PCT, SIMILARITY_PCT))


@dataclass(slots=True)
class HeldFace:
    face_id: str
    image_id: str
    external_id: str | None
    found: FoundFace
    user_id: str | None = None

    def record(self) -> dict[str, Any]:
        """The service's Face."""
        optional = {"ExternalImageId": self.external_id, "UserId": self.user_id}
        return {
            "FaceId": self.face_id,
            "BoundingBox": self.found.box,
            "ImageId": self.image_id,
            "Confidence": self.found.detail["Confidence"],
            "IndexFacesModelVersion": FACE_MODEL,
            **{key: value for key, value in optional.items() if value is not None},
        }


@dataclass(slots=True)
class Collection:
    """`users`: face ids by user, in the order they were associated. `images`: what was indexed, to find it again."""

    folder: Path
    faces: dict[str, HeldFace] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    images: dict[tuple[bytes, str], list[str]] = field(default_factory=dict)
    engine: LocalEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = LocalEngine(self.folder)

    def add(self, found: FoundFace, image_id: str, external_id: str | None) -> HeldFace:
        (indexed,) = self.engine.index(found.crop, external_id or "")
        held = HeldFace(indexed.face_id, image_id, external_id, found)
        self.faces[held.face_id] = held
        return held

    def drop(self, face_ids: Sequence[str]) -> None:
        self.engine.remove(face_ids)
        for face_id in face_ids:
            del self.faces[face_id]
        for key, ids in list(self.images.items()):
            if set(ids) & set(face_ids):
                del self.images[key]

    def resembling(self, crop: FaceCrop) -> list[tuple[HeldFace, float]]:
        """Faces and similarities in percent, best first."""
        candidates = self.engine.search([Probe(crop)])[0].candidates
        return [
            (self.faces[one.face_id], similarity(one.similarity_pct))
            for one in candidates
            if one.face_id in self.faces
        ]
