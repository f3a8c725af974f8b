"""Finds the most similar faces of a collection: exactly where that is quick, through an index where it is not."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from recognizer.embedding import Vector
from recognizer.index import FaceIndex
from recognizer.snapshot import Snapshot
from recognizer.vectors import VectorFolder

__all__ = ["CANDIDATES", "MOST_EXACT", "Matcher", "Matches"]

CANDIDATES = 100
"""Most faces named per probe."""
MOST_EXACT = 50_000
"""Faces that are all compared: 25 probes then take about 10 ms."""

Matches = Sequence[tuple[str, float]]
"""Face ids and cosines, best first."""


class Matcher:
    """Searches a VectorFolder. Safe to share between threads."""

    def __init__(self, folder: VectorFolder) -> None:
        self._folder = folder
        self._index = FaceIndex(folder)

    def match(self, probes: Vector, among: Collection[str] | None) -> list[Matches]:
        """The most similar faces of each probe, at most 100, as many as there are in all.

        `probes`: float32 of shape (probes, 128), of length 1. `among`: face ids that matter; None: all. Above 50,000
        faces the nearest one is found for more than 99 of 100 looks at somebody indexed; cosines are always exact.
        """
        snapshot = self._folder.load()
        rows = None if among is None else _rows(snapshot, among)
        count = len(snapshot) if rows is None else len(rows)
        if not count:
            return [() for _ in probes]
        if count > MOST_EXACT and 2 * count > len(snapshot):
            found = self._proposed(snapshot, probes, rows)
            if all(found):
                return found
        return _exact(snapshot, probes, rows)

    def _proposed(self, snapshot: Snapshot, probes: Vector, rows: NDArray[np.int64] | None) -> list[Matches]:
        found = []
        for probe, proposed in zip(probes, self._index.nearest(snapshot, probes), strict=True):
            near = proposed[proposed >= 0]
            if rows is not None:
                near = near[np.isin(near, rows)]
            found.append(_best(snapshot, near, snapshot.matrix[near] @ probe))
        return found


def _rows(snapshot: Snapshot, among: Collection[str]) -> NDArray[np.int64]:
    found = (snapshot.row(face_id) for face_id in set(among))
    return np.array(sorted(row for row in found if row is not None), np.int64)


def _exact(snapshot: Snapshot, probes: Vector, rows: NDArray[np.int64] | None) -> list[Matches]:
    matrix = snapshot.matrix if rows is None else snapshot.matrix[rows]
    kept = np.arange(len(snapshot)) if rows is None else rows
    return [_best(snapshot, kept, cosines) for cosines in probes @ matrix.T]


def _best(snapshot: Snapshot, rows: NDArray[np.int64], cosines: NDArray[np.float32]) -> Matches:
    if len(rows) > CANDIDATES:
        top = np.argpartition(-cosines, CANDIDATES)[:CANDIDATES]
        rows, cosines = rows[top], cosines[top]
    order = np.argsort(-cosines, kind="stable")
    return [(snapshot.face_ids[rows[place]], float(cosines[place])) for place in order]
