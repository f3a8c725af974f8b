"""The face engine made of two: one's own for every face, a provider's for what stays doubtful, within a budget."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import chain

from recognizer.dossier import Dossier
from recognizer.engine import Answer, FaceEngine, IndexedFace, Probe
from recognizer.errors import EngineError
from recognizer.metering import Purse
from recognizer.observation import FaceCrop

__all__ = ["Doubt", "Owners", "TieredEngine"]

Owners = Callable[[Collection[str]], Iterable[IndexedFace]]
"""Whose these face ids are; ids nobody knows are left out."""

WORKERS = 16
"""Faces of one look that are searched at the provider side by side; how fast is its engine's matter."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Which faces the provider is asked about.

    Clear is a local answer that the decision would name were a class of 28 still sought: `match_pct` and `margin_pct` over the next student, and
    `sure_pct` where it is the first look. What is not, after `after_looks` looks, and resembles somebody by at least
    `plausible_pct`, is asked about at most `asked_per_face` times. A provider's similarity below `remote_weak_pct` to
    everybody says that it is nobody of the roster.
    """

    match_pct: float
    margin_pct: float
    sure_pct: float
    plausible_pct: float
    remote_weak_pct: float
    after_looks: int
    asked_per_face: int


@dataclass(frozen=True, slots=True)
class _Case:
    """A probe of one search, with what was known of it, and what the local engine says now; None: it was not asked."""

    probe: Probe
    before: Dossier
    local: Answer | None

    @property
    def dossier(self) -> Dossier:
        template = self.before.local if self.local is None else self.local.template
        return replace(self.before, looks=self.before.looks + (not self.probe.repeated), local=template)

    @property
    def views(self) -> int:
        """Different pictures that are averaged in the local answer, mirror images included."""
        likeness = self.probe.likeness
        return self.before.looks + 1 if likeness is None else likeness.views

    @property
    def best_pct(self) -> float:
        candidates = () if self.local is None else self.local.candidates
        return candidates[0].similarity_pct if candidates else 0.0


class TieredEngine:
    """A FaceEngine that pays only for doubt. Faces are kept in both collections, or in none.

    Where the budget is spent or the provider is away, the local answer stands, so the doubt is left to staff. Searches
    for no session are never paid for: there is nobody whose budget could pay. Comparing is local as well.

    `owners`: whose a face is; None asks both engines for all their faces, which is slow where there are many.
    """

    def __init__(
        self,
        local: FaceEngine,
        remote: FaceEngine,
        purse: Purse,
        doubt: Doubt,
        owners: Owners | None = None,
    ) -> None:
        self._local = local
        self._remote = remote
        self._purse = purse
        self._doubt = doubt
        self._owners = owners or self._listed
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._said: set[tuple[int, str]] = set()

    @property
    def collections(self) -> frozenset[str]:
        return self._local.collections | self._remote.collections

    @property
    def bills(self) -> bool:
        return self._local.bills

    @property
    def description(self) -> str:
        return f"tiered: {self._local.description}; for doubtful faces {self._remote.description}"

    def objection(self, crop: FaceCrop) -> str | None:
        return self._local.objection(crop) or self._remote.objection(crop)

    def index(self, crop: FaceCrop, external_id: str) -> tuple[IndexedFace, ...]:
        here = self._local.index(crop, external_id)
        try:
            return here + self._remote.index(crop, external_id)
        except BaseException:
            self._local.remove([face.face_id for face in here])
            raise

    def search(
        self,
        probes: Sequence[Probe],
        among: Collection[str] | None = None,
        session_id: int | None = None,
    ) -> list[Answer]:
        cases = self._look(probes, among, session_id)
        asked: dict[int, Answer | None] = {}
        if session_id is not None and (doubtful := self._doubtful(cases, among)):
            asked = self._ask(cases, doubtful, among, session_id)
        return [
            self._second_opinion(case, asked[place]) if place in asked else self._first_opinion(case)
            for place, case in enumerate(cases)
        ]

    def compare(self, one: FaceCrop, other: FaceCrop) -> float:
        return self._local.compare(one, other)

    def faces(self) -> Iterator[IndexedFace]:
        return chain(self._local.faces(), self._remote.faces())

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        """Remove faces from both; should one fail, they are gone from the other all the same, and it can be repeated."""
        try:
            here = self._local.remove(face_ids)
        except BaseException:
            self._remote.remove(face_ids)
            raise
        return here | self._remote.remove(frozenset(face_ids) - here)

    def close(self) -> None:
        try:
            with self._lock:
                if self._pool is not None:
                    self._pool.shutdown()
                    self._pool = None
            self._remote.close()
        finally:
            self._local.close()

    def _look(
        self, probes: Sequence[Probe], among: Collection[str] | None, session_id: int | None
    ) -> list[_Case]:
        """The local engine's answers about all probes that no provider has called a stranger."""
        before = [Dossier.from_bytes(probe.template) for probe in probes]
        open_cases = [place for place, dossier in enumerate(before) if dossier.stranger is None]
        shown = [replace(probes[place], template=before[place].local) for place in open_cases]
        answers = dict(zip(open_cases, self._local.search(shown, among, session_id), strict=True))
        return [
            _Case(probe, dossier, answers.get(place))
            for place, (probe, dossier) in enumerate(zip(probes, before, strict=True))
        ]

    def _doubtful(self, cases: Sequence[_Case], among: Collection[str] | None) -> list[int]:
        """Places of the faces worth paying for, the most plausible first."""
        doubt = self._doubt
        likely = [
            (place, case.local)
            for place, case in enumerate(cases)
            if case.local is not None
            and not case.probe.repeated  # its answer would be the same
            and case.dossier.looks >= doubt.after_looks
            and case.before.asked < doubt.asked_per_face
            and case.best_pct >= doubt.plausible_pct
        ]
        if not likely:
            return []
        known = {candidate.face_id for _, answer in likely for candidate in answer.candidates}
        owner = {face.face_id: face for face in self._owners(known if among is None else {*known, *among})}
        # The provider knows nothing of students enrolled before it was used: it would call them strangers.
        enrolled = {face.external_id for face in owner.values() if face.engine in self._remote.collections}
        worth = []
        for place, answer in likely:
            scores = _by_student(answer, owner)
            best = max(scores, key=lambda student: scores[student], default=None)
            if best is None or self._clear(scores, cases[place].views):
                continue
            if among is None or best in enrolled:
                worth.append(place)
        return sorted(worth, key=lambda place: -cases[place].best_pct)

    def _clear(self, scores: Mapping[str, float], views: int) -> bool:
        first, second = (*sorted(scores.values(), reverse=True), 0.0)[:2]
        doubt = self._doubt
        return (
            first >= doubt.match_pct
            and first - second >= doubt.margin_pct
            and (views > 1 or first >= doubt.sure_pct)
        )

    def _ask(
        self,
        cases: Sequence[_Case],
        doubtful: Sequence[int],
        among: Collection[str] | None,
        session_id: int,
    ) -> dict[int, Answer | None]:
        """The provider's answers by place, as many as the budget allows; None where it had none."""
        (name, *_) = sorted(self._remote.collections)
        with self._purse.reserve(name, session_id, len(doubtful)) as allowed:
            if allowed < len(doubtful):
                self._say(
                    session_id, "budget", f"the budget for {name} is spent; doubtful faces are left to staff"
                )
            futures: dict[int, Future[list[Answer]]] = {}
            for place in doubtful[:allowed]:
                probe = replace(cases[place].probe, template=cases[place].before.remote)
                # One by one: should one fail, the others were paid for and count.
                futures[place] = self._made_pool().submit(self._remote.search, [probe], among, session_id)
            wait(futures.values())
        answers: dict[int, Answer | None] = {}
        for place, future in futures.items():
            try:
                answers[place] = future.result()[0]
            except EngineError as error:
                answers[place] = None
                self._say(
                    session_id, "away", f"{name} does not answer, doubtful faces are left to staff: {error}"
                )
        return answers

    def _first_opinion(self, case: _Case) -> Answer:
        if case.local is None:
            assert case.before.stranger is not None
            engine, model = case.before.stranger
            return Answer((), engine, model, case.dossier.to_bytes())
        return replace(case.local, template=case.dossier.to_bytes())

    def _second_opinion(self, case: _Case, said: Answer | None) -> Answer:
        # A search that failed counts as well: it may have been billed, and a face is asked about so often and no more.
        dossier = replace(case.dossier, asked=case.before.asked + 1)
        if said is None:
            return replace(self._first_opinion(case), template=dossier.to_bytes())
        # An engine that learnt nothing from a look, as it saw no face there, hands back the template it was given.
        if not said.candidates and said.template == case.before.remote:
            return replace(self._first_opinion(case), template=dossier.to_bytes(), paid=said.paid)
        dossier = replace(dossier, remote=said.template)
        best_pct = max((candidate.similarity_pct for candidate in said.candidates), default=0.0)
        if best_pct < self._doubt.remote_weak_pct:
            # No engine is asked again, so none needs what it said of somebody who is not of the roster.
            dossier = replace(dossier, local=None, remote=None, stranger=(said.engine, said.model))
        return replace(said, template=dossier.to_bytes())

    def _listed(self, face_ids: Collection[str]) -> Iterable[IndexedFace]:
        return (face for face in self.faces() if face.face_id in face_ids)

    def _made_pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="tiered")
            return self._pool

    def _say(self, session_id: int, what: str, message: str) -> None:
        """Log a warning, once for each session and what it is about."""
        with self._lock:
            if (session_id, what) in self._said:
                return
            self._said.add((session_id, what))
        _log.warning("session %d: %s", session_id, message)


def _by_student(answer: Answer, owner: Mapping[str, IndexedFace]) -> dict[str, float]:
    """The best similarity of each student; a student may have several faces indexed."""
    best: dict[str, float] = {}
    for candidate in answer.candidates:
        if face := owner.get(candidate.face_id):
            best[face.external_id] = max(best.get(face.external_id, 0.0), candidate.similarity_pct)
    return best
