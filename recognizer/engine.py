"""The seam behind which faces are compared: local vectors here, a provider's collection elsewhere."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from recognizer.observation import FaceCrop

__all__ = ["Answer", "Candidate", "FaceEngine", "IndexedFace", "Probe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A tracked face to be found in the collection.

    `template`: what this engine answered for the same track's earlier looks, None at the first one. An engine that
    can, averages it with the new look.
    """

    crop: FaceCrop
    template: bytes | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An indexed face that resembles the probe. `similarity_pct`: 0 to 100, comparable within one engine only."""

    face_id: str
    similarity_pct: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Candidates best first, and the probe's template to hand back at its next look (None: the engine has none)."""

    candidates: tuple[Candidate, ...]
    template: bytes | None = None


@dataclass(frozen=True, slots=True)
class IndexedFace:
    """A face in the collection. `external_id` is the student number it was indexed under."""

    face_id: str
    external_id: str


class FaceEngine(Protocol):
    """Answers which indexed face a probe resembles, and how much.

    Implementations are safe to call from several threads, load what they need at the first call, and raise
    EngineError for everything that is no answer. `paid`: whether a provider bills each search.
    """

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def paid(self) -> bool: ...

    def index(self, crop: FaceCrop, external_id: str) -> IndexedFace:
        """Add a face; when this returns, it is stored durably."""

    def search(self, probes: Sequence[Probe], among: Collection[str] | None = None) -> list[Answer]:
        """One answer per probe, in order. `among`: only these face ids matter; None means all."""

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        """Similarity of two faces in percent."""

    def faces(self) -> Iterator[IndexedFace]:
        """All indexed faces."""

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        """Remove faces; returns the ids that were there. When this returns, they are gone from the disk too."""

    def close(self) -> None:
        """Give back what is held; the engine is not used afterwards."""
