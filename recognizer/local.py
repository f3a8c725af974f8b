"""The face engine for machines without a provider: dlib's embeddings, kept in a folder."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from recognizer.embedding import MODEL, embed
from recognizer.engine import Answer, Candidate, IndexedFace, Probe
from recognizer.index import index_path
from recognizer.likeness import Likeness
from recognizer.matching import Matcher
from recognizer.observation import FaceCrop
from recognizer.vectors import StoredFace, VectorFolder

__all__ = ["LOCAL", "LocalEngine", "similarity_pct"]

LOCAL = "local"

DISTANCES = (0.0, 0.24, 0.32, 0.34, 0.374, 0.43, 0.63)
SIMILARITIES_PCT = (100.0, 99.0, 95.0, 90.0, 80.0, 50.0, 0.0)


def similarity_pct(cosine: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """How much embeddings resemble each other, in percent, by the cosine of the angle between them; the same shape.

    An angle does not care that averages of several looks are shorter than single embeddings. With `d` the distance of
    both at length 1, d² = 2 - 2 cos, the anchors are measured on 56 people and 80 strangers of Labeled Faces in the
    Wild, one enrolled photograph each, in tiles with faces of 50 to 100 px, 79,000 impostor pairs for one and for two
    to five different looks averaged: at .43 a genuine and an impostor pair are equally likely on one look, hence 50; at
    .374 one impostor in a thousand passes, hence 80; at .34 one in ten thousand, hence 90; at .32 none did, hence 95;
    below .24 lies the nearer half of genuine averages over five looks, hence 99. Between them straight lines.
    """
    distance = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * np.asarray(cosine, np.float64)))
    return np.asarray(np.interp(distance, DISTANCES, SIMILARITIES_PCT))


class LocalEngine:
    """A FaceEngine on this machine: nothing leaves it, nobody bills."""

    collections = frozenset({LOCAL})
    bills = False

    def __init__(self, folder: Path) -> None:
        self._vectors = VectorFolder(folder, MODEL)
        self._matcher = Matcher(self._vectors)

    @property
    def description(self) -> str:
        complaint = self._vectors.complaint
        return f"{LOCAL}: {MODEL}{'' if complaint is None else f'; {complaint}'}"

    def objection(self, crop: FaceCrop) -> str | None:
        del crop
        return None  # what makes a photograph good enough for this network is asked of every photograph

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        face = StoredFace(str(uuid4()), external_id, MODEL)
        self._vectors.add([face], embed([crop]))
        return (IndexedFace(face.face_id, external_id, LOCAL, MODEL),)

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        """One answer per probe, each with at most the hundred most similar faces."""
        del session_id  # nothing to pay
        if not probes:
            return []
        unseen = iter(embed([probe.crop for probe in probes if probe.likeness is None]))
        seen = [Likeness.of(next(unseen)) if probe.likeness is None else probe.likeness for probe in probes]
        answers = []
        for matches in self._matcher.match(np.stack([likeness.mean for likeness in seen]), among):
            percents = similarity_pct(np.array([cosine for _, cosine in matches]))
            candidates = tuple(
                Candidate(face_id, float(percent))
                for (face_id, _), percent in zip(matches, percents, strict=True)
            )
            answers.append(Answer(candidates, LOCAL, MODEL))
        return answers

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        # In double precision: rounded to single, a photograph would not wholly resemble itself.
        first, second = np.asarray(embed([one, other]), np.float64)
        lengths = np.linalg.norm(first) * np.linalg.norm(second)
        return float(similarity_pct(np.asarray(first @ second / lengths)))

    def faces(self) -> Iterator[IndexedFace]:
        return iter(
            [IndexedFace(face.face_id, face.external_id, LOCAL, face.model) for face in self._vectors.faces()]
        )

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        folder = self._vectors.folder
        return self._vectors.remove(face_ids, [index_path(folder), *folder.glob("*.part")])

    def close(self) -> None:
        self._vectors.close()
