"""What the face network has seen of one person in a session: the embeddings of looks that differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognizer.embedding import DIMENSIONS, Vector, unit
from recognizer.errors import EngineError

__all__ = ["Likeness"]

SAME_LOOK = 0.975
"""Cosine from which two embeddings are one picture seen twice: of 280 photographs seen through two framings 97 % were
above, of pairs of different photographs of one person under 2 %."""
LOOKS = 8
ROW = DIMENSIONS + 1
"""Numbers of a look as bytes: the vector, and whether the mirror image is in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Up to eight looks at a person: float32 of shape (looks, 128), of unit length each, the oldest first.

    Looks at the same picture count once: they add nothing to what an average knows of a face. Its mirror image adds
    something. `mirrored`: bool of shape (looks,), which looks are averaged with their mirror image.
    """

    vectors: Vector
    mirrored: NDArray[np.bool_]

    @classmethod
    def of(cls, vector: Vector) -> "Likeness":
        """A single look. `vector`: float32 of shape (128,), an embedding."""
        return cls(unit(vector)[np.newaxis], np.zeros(1, np.bool_))

    @property
    def looks(self) -> int:
        return len(self.vectors)

    @property
    def views(self) -> int:
        """Pictures that differ, mirror images included."""
        return self.looks + int(self.mirrored.sum())

    @property
    def mean(self) -> Vector:
        """The average look: float32 of shape (128,), of unit length."""
        return unit(self.vectors.mean(axis=0))

    def resembles(self, other: "Likeness") -> float:
        """Cosine of the averages, -1 to 1; above about .94 it is the same person."""
        return float(self.mean @ other.mean)

    def has_seen(self, vector: Vector) -> bool:
        """Whether this picture is among the looks already."""
        return bool((self.vectors @ unit(vector)).max() >= SAME_LOOK)

    def seen(self, vector: Vector) -> "Likeness":
        """With one more look; the same where the picture is among them. Beyond eight, the oldest goes."""
        if self.has_seen(vector):
            return self
        vectors = np.vstack([self.vectors, unit(vector)])
        return Likeness(vectors[-LOOKS:], np.append(self.mirrored, False)[-LOOKS:])

    def lacks_mirror(self, vector: Vector) -> bool:
        """Whether this picture is among the looks, without its mirror image."""
        return self.has_seen(vector) and not self.mirrored[self._place(vector)]

    def with_mirror(self, vector: Vector, mirror: Vector) -> "Likeness":
        """With the mirror image of one of the looks. `vector`: that look; `mirror`: its mirror image, an embedding too."""
        vectors, mirrored = self.vectors.copy(), self.mirrored.copy()
        place = self._place(vector)
        vectors[place] = unit(vectors[place] + unit(mirror))
        mirrored[place] = True
        return Likeness(vectors, mirrored)

    def to_bytes(self) -> bytes:
        return np.column_stack([self.vectors, self.mirrored]).astype(np.float32).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Likeness":
        """Raises EngineError for what is no likeness."""
        numbers = np.frombuffer(data, np.float32) if len(data) % 4 == 0 else np.empty(1, np.float32)
        if numbers.size == 0 or numbers.size % ROW:
            raise EngineError(
                f"a remembered face of {len(data)} bytes cannot be read; start the session's watch again"
            )
        rows = numbers.reshape(-1, ROW)
        return cls(rows[:, :DIMENSIONS], rows[:, DIMENSIONS] > 0)

    def nearest(self, vector: Vector) -> Vector:
        """The look most like this one: float32 of shape (128,)."""
        return np.asarray(self.vectors[self._place(vector)])

    def _place(self, vector: Vector) -> int:
        return int((self.vectors @ unit(vector)).argmax())
