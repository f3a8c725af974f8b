"""What a program holds of a collection in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognizer.embedding import DIMENSIONS, Vector, unit

__all__ = ["Rows", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All faces of one model at a moment. Read only, and as it was even when faces are added or removed later.

    `matrix`: float32 of shape (faces, 128), each row of length 1. `numbers`: int64 of shape (faces,), ascending: a
    face's number stays its own when others go. `rows`: face id to row; may know faces that came later.
    """

    matrix: Vector
    numbers: NDArray[np.int64]
    face_ids: Sequence[str]
    rows: Mapping[str, int]
    removals: int

    def __len__(self) -> int:
        return len(self.numbers)

    def row(self, face_id: str) -> int | None:
        """Where a face is, None when it is not among these."""
        row = self.rows.get(face_id)
        return row if row is not None and row < len(self) else None


class Rows:
    """The faces a program holds. Grows in place: snapshots taken before see no difference. For one thread at a time.

    `last`: the highest number read from the file so far. `damaged`: by number, in words, those that were left out.
    """

    def __init__(self) -> None:
        self.count = self.last = self.removals = 0
        self.matrix = np.empty((0, DIMENSIONS), np.float32)
        self.numbers = np.empty(0, np.int64)
        self.face_ids: list[str] = []
        self.rows: dict[str, int] = {}
        self.damaged: dict[int, str] = {}

    def append(self, faces: Sequence[tuple[int, str, bytes]]) -> None:
        """Take in faces: number, id and embedding as little-endian float32."""
        end = self.count + len(faces)
        if end > len(self.numbers):
            room = max(end, len(self.numbers) + len(self.numbers) // 2)
            matrix, numbers = np.empty((room, DIMENSIONS), np.float32), np.empty(room, np.int64)
            matrix[: self.count], numbers[: self.count] = (
                self.matrix[: self.count],
                self.numbers[: self.count],
            )
            self.matrix, self.numbers = matrix, numbers
        vectors = np.frombuffer(b"".join(face[2] for face in faces), "<f4").reshape(-1, DIMENSIONS)
        self.matrix[self.count : end] = unit(vectors)
        self.numbers[self.count : end] = [face[0] for face in faces]
        self.face_ids.extend(face[1] for face in faces)
        self.rows.update({face[1]: self.count + place for place, face in enumerate(faces)})
        self.count = end

    def only(self, numbers: NDArray[np.int64]) -> "Rows":
        """A copy with those faces only that are among these numbers, sorted."""
        kept = np.flatnonzero(np.isin(self.numbers[: self.count], numbers, assume_unique=True))
        copy = Rows()
        copy.count, copy.last = len(kept), self.last
        copy.matrix, copy.numbers = self.matrix[kept], self.numbers[kept]
        copy.face_ids = [self.face_ids[row] for row in kept]
        copy.rows = {face_id: row for row, face_id in enumerate(copy.face_ids)}
        copy.damaged = {number: name for number, name in self.damaged.items() if number in numbers}
        return copy

    def snapshot(self) -> Snapshot:
        """The faces as they are now."""
        matrix, numbers = self.matrix[: self.count], self.numbers[: self.count]
        matrix.flags.writeable = numbers.flags.writeable = False
        return Snapshot(matrix, numbers, self.face_ids, self.rows, self.removals)
