"""What a look at 25 people costs, against the way of the `face_recognition` package in the same run.

The peer searches the whole frame with dlib's histogram of gradients, one upsampling, and computes dlib's descriptor of
every face: what `face_locations(frame, number_of_times_to_upsample=1)` and `face_encodings(frame, locations)` do, by the
same models. Gridroll looks as its agent does: a burst of frames from a live gallery, tiles, heads, changes, cues, then
recognition of the faces asked about among the roster. Neither writes anything to a store. They run in turn, so that a
machine that gets slower slows both; quote the ratios. The peer computes on one thread, as its package does, Gridroll on
the two of `recognizer.workers`: other programs can take the second away, so what both spend of the processors, on all
threads together, is compared as well.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.camera import choose_framing
from bench.meeting import Look, Meeting, Seat, Stay
from bench.people import Subject, load_folk
from recognizer.embedding import embed
from recognizer.engine import Probe
from recognizer.likeness import Likeness
from recognizer.local import LocalEngine
from recognizer.network import model_folder
from recognizer.observation import FaceCrop, Image
from recognizer.photo import find_faces
from screen_agent.change import ChangeDetector
from screen_agent.frames import Frame
from screen_agent.headcount import TileHeadcounter
from screen_agent.settle import settle
from screen_agent.stillness import Stillness

__all__ = ["main"]

SEATS = 25
START = datetime(2026, 11, 20, 9, tzinfo=UTC)
GALLERY = Look(theme=1, gap_px=6, round_px=6, aspect=16 / 9, top_px=40, bottom_px=64, side_px=0)


@dataclass(frozen=True, slots=True)
class _Case:
    """Two looks of a burst each: the first is not timed, the second is. `limit`: share of the peer's time aimed at."""

    name: str
    limit: float
    before: list[Image]
    after: list[Image]


@dataclass(frozen=True, slots=True)
class _Spent:
    """Seconds by the clock, and seconds of processor time."""

    clock_s: float
    processor_s: float


class Peer:
    """The `face_recognition` way: everybody located and encoded, every time."""

    def __init__(self) -> None:
        import dlib

        folder = model_folder()
        self._find: Any = dlib.get_frontal_face_detector()
        self._points: Any = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
        self._encode: Any = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def look(self, image: Image) -> int:
        rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        boxes = self._find(rgb, 1)
        for box in boxes:
            self._encode.compute_face_descriptor(rgb, self._points(rgb, box), 1)
        return len(boxes)


class Ours:
    """The agent's look and the recognition of the faces it asks about."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine = engine
        self._counter, self._stillness = TileHeadcounter(), Stillness()
        self._change = ChangeDetector(0.0, Random(1))
        self._looks = 0

    def look(self, burst: Sequence[Image]) -> tuple[int, int]:
        """Heads counted, and faces recognised."""
        self._looks += 1
        began_at = START + timedelta(seconds=40 * self._looks)
        frames = iter(
            [Frame(image, began_at + timedelta(seconds=0.4 * index)) for index, image in enumerate(burst)]
        )
        settled = settle(lambda: next(frames), self._counter, len(burst))
        change = self._change.compare(settled, f"{self._looks:018d}", None)
        self._stillness.cues(settled, change.faces)
        crops = [face.crop for face in change.faces if face.crop is not None]
        if crops:
            probes = [
                Probe(crop, Likeness.of(vector)) for crop, vector in zip(crops, embed(crops), strict=True)
            ]
            self._engine.search(probes)
        return len(settled.heads), len(crops)


def main(argv: Sequence[str] | None = None) -> None:
    """Print times, ratios, limits and the ratios of processor time for an unchanged look, one newcomer, all new."""
    parser = argparse.ArgumentParser(prog="python -m bench speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each instead of seven")
    runs = 1 if parser.parse_args(argv).quick else 7
    cv2.setNumThreads(1)
    cases = _cases()
    peer = Peer()
    peer.look(cases[0].after[0])
    table = Table("look", "heads", "asked", "ms", "peer, ms", "ratio", "at most", "processor")
    with TemporaryDirectory(prefix="gridroll-bench-") as folder:
        engine = _enrolled(Path(folder))
        for case in cases:
            ours_spent: list[_Spent] = []
            peer_spent: list[_Spent] = []
            heads = asked = 0
            for _ in range(runs):
                ours = Ours(engine)
                if case.before:
                    ours.look(case.before)
                with _spending(ours_spent):
                    heads, asked = ours.look(case.after)
                with _spending(peer_spent):
                    peer.look(case.after[-1])
            own_s, peer_s = (median(one.clock_s for one in spent) for spent in (ours_spent, peer_spent))
            own_processor_s, peer_processor_s = (
                median(one.processor_s for one in spent) for spent in (ours_spent, peer_spent)
            )
            table.add_row(
                case.name,
                str(heads),
                str(asked),
                f"{1000 * own_s:.0f}",
                f"{1000 * peer_s:.0f}",
                f"1/{peer_s / own_s:.1f}",
                f"1/{1 / case.limit:.0f}",
                f"1/{peer_processor_s / own_processor_s:.1f}",
            )
    Console().print(table)


@contextmanager
def _spending(spent: list[_Spent]) -> Iterator[None]:
    """Add what is spent within to a list."""
    clock, processor = time.perf_counter(), time.process_time()
    yield
    spent.append(_Spent(time.perf_counter() - clock, time.process_time() - processor))


def _cases() -> list[_Case]:
    folk = load_folk()
    everybody = [replace(one, pictures=one.pictures[:1]) for one in folk.people]
    people = [everybody[index % len(everybody)] for index in range(SEATS)]
    swapped = [*people[:7], everybody[SEATS % len(everybody)], *people[8:]]
    return [
        _Case("nothing changed", 1 / 100, _burst(people, 100.0), _burst(people, 106.0)),
        _Case("one newcomer", 1 / 30, _burst(people, 100.0), _burst(swapped, 106.0)),
        _Case("all 25 new", 1 / 8, [], _burst(people, 106.0)),
    ]


def _burst(people: Sequence[Subject], at_s: float) -> list[Image]:
    """Three frames of a live gallery, .4 seconds apart."""
    seats = tuple(
        Seat(f"Seat {index + 1}", replace(choose_framing(index), bars=1.0), (Stay(one, 0.0, 3600.0),))
        for index, one in enumerate(people)
    )
    meeting = Meeting(1, 60.0, 5, (), seats, {}, (), GALLERY)
    return [meeting.draw(at_s + 0.4 * index) for index in range(3)]


def _enrolled(folder: Path) -> LocalEngine:
    engine = LocalEngine(folder)
    for one in load_folk().people[:SEATS]:
        if one.portrait is not None:
            engine.index(FaceCrop(one.portrait, find_faces(one.portrait)[0]), one.key)
    return engine


if __name__ == "__main__":
    main()
