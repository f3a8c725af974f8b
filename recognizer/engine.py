"""The seam behind which faces are compared: local vectors here, a provider's collection elsewhere."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from recognizer.likeness import Likeness
from recognizer.observation import FaceCrop

__all__ = ["Answer", "Candidate", "FaceEngine", "IndexedFace", "Probe"]


@dataclass(frozen=True, slots=True)
class Probe:
    """A tracked face to be found in the collection.

    `likeness`: what the face network here saw of the same person over all looks, this one included; None: it was not
    asked. `template`: what this engine answered for the person's earlier looks, None at the first one. An engine that
    can, averages it with the new look. `repeated`: this very picture was searched for before, and only its mirror image is
    new to the likeness.
    """

    crop: FaceCrop
    likeness: Likeness | None = None
    template: bytes | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An indexed face that resembles the probe. `similarity_pct`: 0 to 100, comparable within one engine only."""

    face_id: str
    similarity_pct: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Candidates best first, and which engine and model say so.

    `template`: to be handed back at the person's next look; None: the engine needs none. `paid`: searches a provider
    bills for this answer.
    """

    candidates: tuple[Candidate, ...]
    engine: str
    model: str
    template: bytes | None = None
    paid: int = 0


@dataclass(frozen=True, slots=True)
class IndexedFace:
    """A face in a collection. `external_id` is the student number it was indexed under, `engine` whose collection."""

    face_id: str
    external_id: str
    engine: str
    model: str


class FaceEngine(Protocol):
    """Answers which indexed face a probe resembles, and how much.

    Implementations are safe to call from several threads, load what they need at the first call, and raise
    EngineError for everything that is no answer; its `transient` says whether trying again can help.
    """

    @property
    def collections(self) -> frozenset[str]:
        """Names of the engines whose collections this one answers from: itself, or those it is made of."""

    @property
    def description(self) -> str:
        """What it is and where, in one line for people."""

    @property
    def bills(self) -> bool:
        """Whether every search is billed. People known already are then recognised here instead."""

    def objection(self, crop: FaceCrop) -> str | None:
        """Why this engine would not take the face for enrolment, as a sentence; None: it would."""

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        """Add a face to every collection; when this returns, it is stored durably, and otherwise in none.

        Raises PhotoError where an engine will not have this very photograph.
        """

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        """One answer per probe, in order.

        `among`: only these face ids matter; None means all. `session_id`: whose budget pays; None: no session's.
        """

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        """Similarity of two faces in percent."""

    def faces(self) -> Iterator[IndexedFace]:
        """All indexed faces, of every collection."""

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        """Remove faces; returns the ids that were there. When this returns, they are gone from the disk too."""

    def close(self) -> None:
        """Give back what is held; the engine is not used afterwards."""
