"""A provider for tests of engines that pay: the local engine, billing each search."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from recognizer.engine import Answer, IndexedFace, Probe
from recognizer.errors import EngineError
from recognizer.local import LocalEngine
from recognizer.metering import Call, Meter
from recognizer.observation import FaceCrop
from recognizer.tiered import Doubt

PRICE = Decimal("0.001")
STRICT = Doubt(
    match_pct=100.0,  # nobody is ever clear to the local engine
    margin_pct=0.0,
    sure_pct=100.0,
    plausible_pct=0.0,
    remote_weak_pct=80.0,
    after_looks=3,
    asked_per_face=2,
)


class AwayError(EngineError):
    transient = True


class Provider(LocalEngine):
    """The local engine as another house would run it: it bills, it can be away, and it may see no face."""

    collections = frozenset({"provider"})

    def __init__(self, folder: Path, meter: Meter | None = None) -> None:
        super().__init__(folder)
        self.meter = meter
        self.asked: list[str] = []
        self.away: EngineError | None = None
        self.sees_no_face = False

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        self._answer("IndexFaces", None)
        return tuple(replace(face, engine="provider") for face in super().index(crop, external_id))

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        answers = []
        for probe, answer in zip(probes, super().search(probes, among, session_id), strict=True):
            self._answer("Search", session_id)
            said = replace(answer, engine="provider", paid=1)
            answers.append(
                replace(said, candidates=(), template=probe.template) if self.sees_no_face else said
            )
        return answers

    def faces(self) -> Iterator[IndexedFace]:
        return (replace(face, engine="provider") for face in super().faces())

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        if self.away:
            raise self.away
        return super().remove(face_ids)

    @property
    def searches(self) -> int:
        return self.asked.count("Search")

    def _answer(self, operation: str, session_id: int | None) -> None:
        self.asked.append(operation)
        billed = 0 if self.away else 1
        outcome = "ok" if billed else "ServiceUnavailable"
        if self.meter is not None:
            price = billed * float(PRICE)
            self.meter.record(
                Call(datetime.now(UTC), "provider", operation, 1, billed, price, outcome, session_id)
            )
        if self.away:
            raise self.away
