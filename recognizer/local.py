"""The face engine for machines without a provider: dlib's embeddings, compared exactly, kept in a folder."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from recognizer.embedding import DIMENSIONS, MODEL, Vector, embed
from recognizer.engine import Answer, Candidate, IndexedFace, Probe
from recognizer.errors import EngineError
from recognizer.observation import FaceCrop
from recognizer.vectors import StoredFace, VectorFolder

__all__ = ["LocalEngine", "similarity_pct"]

DISTANCES = (0.0, 0.30, 0.42, 0.50, 0.62, 0.90)
SIMILARITIES_PCT = (100.0, 99.0, 95.0, 90.0, 50.0, 0.0)


def similarity_pct(distance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Embedding distances as percent, 100 for equal faces, the same shape.

    Anchors from 56 people and 80 strangers of Labeled Faces in the Wild (one enrolled photograph each, 277 genuine and
    19,715 impostor pairs, tiles of about 70 px a face): at .62 both are equally likely (logistic fit), hence 50; at
    .50 no impostor passed when two or more looks were averaged, hence 90; at .42 none passed on a single look, hence
    95. Between them straight lines.
    """
    return np.asarray(np.interp(distance, DISTANCES, SIMILARITIES_PCT))


class LocalEngine:
    """A FaceEngine on this machine: nothing leaves it, nobody bills."""

    name = "local"
    model = MODEL
    paid = False

    def __init__(self, folder: Path) -> None:
        self._vectors = VectorFolder(folder)

    def index(self, crop: FaceCrop, external_id: str) -> IndexedFace:
        face = StoredFace(str(uuid4()), external_id, MODEL)
        self._vectors.add(face, embed(crop))
        return IndexedFace(face.face_id, external_id)

    def search(self, probes: Sequence[Probe], among: Collection[str] | None = None) -> list[Answer]:
        faces, matrix = self._vectors.load()
        wanted = [row for row, face in enumerate(faces) if among is None or face.face_id in among]
        answers = []
        for probe in probes:
            template = _average(probe.template, embed(probe.crop))
            distances = np.linalg.norm(matrix[wanted] - template[:DIMENSIONS], axis=1)
            percents = similarity_pct(distances)
            candidates = tuple(
                Candidate(faces[wanted[place]].face_id, float(percents[place]))
                for place in np.argsort(distances, kind="stable")
            )
            answers.append(Answer(candidates, template.tobytes()))
        return answers

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        distance = np.linalg.norm((embed(one) - embed(other))[np.newaxis], axis=1)
        return float(similarity_pct(distance)[0])

    def faces(self) -> Iterator[IndexedFace]:
        faces, _ = self._vectors.load()
        return iter([IndexedFace(face.face_id, face.external_id) for face in faces])

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        return self._vectors.remove(face_ids)

    def close(self) -> None:
        return None


def _average(template: bytes | None, vector: Vector) -> Vector:
    """The running mean of a track's embeddings, float32 of shape (129,): the mean, then how many looks it holds."""
    if template is None:
        return np.append(vector, np.float32(1))
    held = np.frombuffer(template, np.float32)
    if held.shape != (DIMENSIONS + 1,):
        raise EngineError(
            f"a template of {len(template)} bytes is not this engine's; start the session's watch again"
        )
    looks = held[DIMENSIONS]
    mean = (held[:DIMENSIONS] * looks + vector) / (looks + 1)
    return np.append(mean, looks + 1).astype(np.float32)
