"""What the face network has seen of one person in a session: the embeddings of looks that differ."""

from dataclasses import dataclass

import numpy as np

from recognizer.embedding import DIMENSIONS, Vector
from recognizer.errors import EngineError

__all__ = ["Likeness"]

SAME_LOOK = 0.975
"""Cosine from which two embeddings are one picture seen twice: of 280 photographs seen through two framings 97 % were
above, of pairs of different photographs of one person under 2 %."""
LOOKS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """Up to eight looks at a person: float32 of shape (looks, 128), of unit length each, the oldest first.

    Looks at the same picture count once: they add nothing to what an average knows of a face.
    """

    vectors: Vector

    @classmethod
    def of(cls, vector: Vector) -> "Likeness":
        """A single look. `vector`: float32 of shape (128,), an embedding."""
        return cls(_unit(vector)[np.newaxis])

    @property
    def looks(self) -> int:
        return len(self.vectors)

    @property
    def mean(self) -> Vector:
        """The average look: float32 of shape (128,), of unit length."""
        return _unit(self.vectors.mean(axis=0))

    def resembles(self, other: "Likeness") -> float:
        """Cosine of the averages, -1 to 1; above about .94 it is the same person."""
        return float(self.mean @ other.mean)

    def has_seen(self, vector: Vector) -> bool:
        """Whether this picture is among the looks already."""
        return bool((self.vectors @ _unit(vector)).max() >= SAME_LOOK)

    def seen(self, vector: Vector) -> "Likeness":
        """With one more look; the same where the picture is among them. Beyond eight, the oldest goes."""
        if self.has_seen(vector):
            return self
        return Likeness(np.vstack([self.vectors, _unit(vector)])[-LOOKS:])

    def to_bytes(self) -> bytes:
        return self.vectors.astype(np.float32).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Likeness":
        """Raises EngineError for what is no likeness."""
        vectors = np.frombuffer(data, np.float32) if len(data) % 4 == 0 else np.empty(1, np.float32)
        if vectors.size == 0 or vectors.size % DIMENSIONS:
            raise EngineError(
                f"a remembered face of {len(data)} bytes cannot be read; start the session's watch again"
            )
        return cls(vectors.reshape(-1, DIMENSIONS))


def _unit(vector: Vector) -> Vector:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
