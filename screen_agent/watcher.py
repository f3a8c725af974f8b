"""The agent's loop: wait, look, compare, hand in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from uuid import NAMESPACE_URL, uuid5

from recognizer.observation import Observation, Receipt
from screen_agent.change import ChangeDetector
from screen_agent.clock import Clock
from screen_agent.errors import EndOfSource
from screen_agent.frames import Frame, FrameSource
from screen_agent.headcount import Headcounter
from screen_agent.settle import Settled, settle
from screen_agent.sink import Sink
from screen_agent.stillness import Stillness

__all__ = ["LookReport", "Watcher"]

BURST = 3
BURST_GAP = timedelta(seconds=0.4)
SPOT_CHECK = 0.003


@dataclass(frozen=True, slots=True)
class LookReport:
    """A look that was handed in: what was seen, what was sent, what came back."""

    settled: Settled
    observation: Observation
    receipt: Receipt


class Watcher:
    """Looks at a session through a source and hands each look to a sink. For one thread; `stop` is safe from any.

    `origin` names what is watched: the same look at the same origin has the same uid, so that a recording watched
    twice counts once. `seed`: of the spot checks; None draws from the operating system.
    """

    def __init__(
        self,
        session_id: int,
        source: FrameSource,
        counter: Headcounter,
        sink: Sink,
        clock: Clock,
        origin: str,
        seed: int | None = None,
    ) -> None:
        self._session_id = session_id
        self._source = source
        self._counter = counter
        self._sink = sink
        self._clock = clock
        self._origin = origin
        self._change = ChangeDetector(SPOT_CHECK, Random(seed))
        self._receipt: Receipt | None = None
        self._stillness = Stillness()
        self._stopped = False

    def run(self, moments: Iterable[datetime], report: Callable[[LookReport], None]) -> bool:
        """Look at each moment until they, or the source, end: True; or `stop` is called: False.

        A look under way is finished first.
        """
        for moment in moments:
            if self._stopped or not self._clock.sleep_until(moment):
                return False
            try:
                settled = settle(self._paced(), self._counter, 1 if self._source.still else BURST)
            except EndOfSource:
                return True
            report(self._hand_in(settled))
        return True

    def stop(self) -> None:
        """End the loop after the look under way; safe to call from a signal handler."""
        self._stopped = True
        self._clock.wake()

    def _paced(self) -> Callable[[], Frame]:
        first = True

        def grab() -> Frame:
            nonlocal first
            if not first:
                self._clock.sleep_until(self._clock.now() + BURST_GAP)
            first = False
            return self._source.grab()

        return grab

    def _hand_in(self, settled: Settled) -> LookReport:
        taken_at = settled.frame.taken_at
        uid = str(uuid5(NAMESPACE_URL, f"gridroll:{self._session_id}:{self._origin}:{taken_at.isoformat()}"))
        change = self._change.compare(settled, uid, self._receipt)
        cues = self._stillness.cues(settled, change.faces)
        observation = Observation(
            uid=uid,
            session_id=self._session_id,
            began_at=settled.began_at,
            taken_at=taken_at,
            trigger=change.trigger,
            headcount=len(settled.heads),
            faces=tuple(replace(face, cue=cues.get(face.track)) for face in change.faces),
        )
        receipt = self._sink.send(observation)
        self._receipt = receipt
        return LookReport(settled, observation, receipt)
