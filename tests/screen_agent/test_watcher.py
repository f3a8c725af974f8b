from datetime import datetime, timedelta

import numpy as np
import pytest

from db.errors import GridrollError
from recognizer.observation import Observation, Receipt
from screen_agent.clock import MediaClock
from screen_agent.errors import EndOfSource
from screen_agent.frames import Frame
from screen_agent.headcount import Counted, Head
from screen_agent.sink import WAITS_S, InProcessSink
from screen_agent.watcher import BURST_GAP, LookReport, Watcher
from tests.conftest import START

PICTURE = np.random.default_rng(1).integers(0, 255, (100, 100, 3), dtype=np.uint8)


class Scene:
    """A source, a counter and a sink in one: one head that never changes, until the recording ends."""

    still = False

    def __init__(self, ends_at: datetime = START + timedelta(hours=1)) -> None:
        self.clock = MediaClock(START)
        self.ends_at = ends_at
        self.grabbed: list[datetime] = []
        self.sent: list[Observation] = []

    def grab(self) -> Frame:
        if self.clock.now() > self.ends_at:
            raise EndOfSource("over")
        self.grabbed.append(self.clock.now())
        return Frame(PICTURE, self.clock.now())

    def close(self) -> None:
        return None

    def count(self, image: object) -> Counted:
        return Counted(((0, 0, 100, 100),), (Head((0, 0, 100, 100), (20, 20, 80, 80)),))

    def send(self, observation: Observation) -> Receipt:
        self.sent.append(observation)
        wanted = frozenset(face.track for face in observation.faces) if len(self.sent) == 1 else frozenset()
        return Receipt(observation.uid, observation.headcount, 0, 0, wanted=wanted)

    def watcher(self, origin: str = "test") -> Watcher:
        return Watcher(7, self, self, self, self.clock, origin, seed=1)


MOMENTS = [START + timedelta(seconds=second) for second in (10, 50, 90)]


def ignore(look: LookReport) -> None:
    return None


def test_each_moment_becomes_one_observation_of_a_burst() -> None:
    scene = Scene()
    assert scene.watcher().run(MOMENTS, ignore)
    assert [observation.began_at for observation in scene.sent] == MOMENTS
    assert [observation.taken_at for observation in scene.sent] == [moment + BURST_GAP for moment in MOMENTS]
    assert {observation.session_id for observation in scene.sent} == {7}


def test_only_faces_that_are_new_or_wanted_come_with_a_crop() -> None:
    scene = Scene()
    scene.watcher().run(MOMENTS, ignore)
    assert [observation.trigger for observation in scene.sent] == ["headcount", "unsettled", "none"]
    assert [face.crop is not None for observation in scene.sent for face in observation.faces] == [
        True,
        True,
        False,
    ]
    assert len({face.track for observation in scene.sent for face in observation.faces}) == 1


def test_the_same_look_at_the_same_origin_has_the_same_uid() -> None:
    runs = []
    for origin in ("a.mp4", "a.mp4", "b.mp4"):
        scene = Scene()
        scene.watcher(origin).run(MOMENTS, ignore)
        runs.append([observation.uid for observation in scene.sent])
    assert runs[0] == runs[1]
    assert not set(runs[0]) & set(runs[2])


def test_watching_ends_with_the_recording() -> None:
    scene = Scene(ends_at=START + timedelta(seconds=60))
    assert scene.watcher().run(MOMENTS, ignore)
    assert len(scene.sent) == 2


def test_stopping_finishes_the_look_under_way_and_takes_no_other() -> None:
    scene = Scene()
    watcher = scene.watcher()
    assert not watcher.run(MOMENTS, lambda look: watcher.stop())
    assert len(scene.sent) == 1


class Failing:
    """A verifier whose store is away for some calls."""

    def __init__(self, failures: int, transient: bool) -> None:
        self.failures, self.transient, self.calls = failures, transient, 0

    def verify(self, observation: Observation) -> Receipt:
        self.calls += 1
        if self.calls <= self.failures:
            error = GridrollError("away")
            error.transient = self.transient
            raise error
        return Receipt(observation.uid, 0, 0, 0)


OBSERVATION = Observation("u", 7, START, START, "none", 0, ())


def test_a_store_that_is_away_for_a_moment_loses_no_look() -> None:
    verifier, waits = Failing(3, transient=True), list[float]()
    receipt = InProcessSink(verifier, waits.append).send(OBSERVATION)  # type: ignore[arg-type]
    assert receipt.uid == "u"
    assert waits == list(WAITS_S[:3])


@pytest.mark.parametrize(("transient", "calls"), [(True, len(WAITS_S) + 1), (False, 1)])
def test_a_store_that_stays_away_ends_the_watch_with_its_error(transient: bool, calls: int) -> None:
    verifier = Failing(99, transient)
    with pytest.raises(GridrollError, match="away"):
        InProcessSink(verifier, lambda wait_s: None).send(OBSERVATION)  # type: ignore[arg-type]
    assert verifier.calls == calls
