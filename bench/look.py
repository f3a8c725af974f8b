"""What a look costs: Gridroll's way against the naive loop that most attendance scripts run.

The naive loop searches the whole frame with `frontalface_default` and computes an embedding of everybody at every
look. Both run on the same frames of the simulated class in turn, so that a machine that gets slower slows both;
quote the ratios.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from statistics import median

from rich.console import Console
from rich.table import Table

from demo.script import LESSON
from recognizer.cascade import FaceCascade, to_gray
from recognizer.embedding import embed
from recognizer.observation import FaceCrop, Image
from screen_agent.change import ChangeDetector
from screen_agent.frames import Frame
from screen_agent.headcount import TileHeadcounter
from screen_agent.settle import Settled

__all__ = ["main"]

LOOKS, GAP_S = 12, 40.0
START = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Naive:
    """Haar over the whole frame, everybody embedded, every time."""

    def __init__(self) -> None:
        self._cascade = FaceCascade("haarcascade_frontalface_default.xml")

    def look(self, image: Image) -> tuple[int, int]:
        found = self._cascade.find(to_gray(image), neighbours=3, smallest_px=24)
        embed([FaceCrop(image, box) for box in found])
        return len(found), len(found)


class Ours:
    """Haar tile by tile, embeddings only of faces that changed."""

    def __init__(self) -> None:
        self._counter = TileHeadcounter()
        self._change = ChangeDetector(0.0, Random(1))
        self._looks = 0

    def look(self, image: Image) -> tuple[int, int]:
        self._looks += 1
        counted = self._counter.count(image)
        settled = Settled(Frame(image, START), START, counted.tiles, counted.heads)
        change = self._change.compare(settled, f"{self._looks:018d}", None)
        asked = [face.crop for face in change.faces if face.crop is not None]
        embed(asked)
        return len(counted.heads), len(asked)


def main(argv: Sequence[str] | None = None) -> None:
    """Print heads counted right, faces embedded and milliseconds per look, for both, and the ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench look", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half as many looks")
    looks = LOOKS // 2 if parser.parse_args(argv).quick else LOOKS
    moments = [60.0 + GAP_S * index for index in range(looks)]
    frames = [LESSON.draw(moment) for moment in moments]
    truth = [sum(seat.camera_on for seat in LESSON.seats(moment)) for moment in moments]
    ways: dict[str, Callable[[Image], tuple[int, int]]] = {
        "naive loop": Naive().look,
        "gridroll": Ours().look,
    }
    for way in ways.values():
        way(frames[0])  # loads the models
    exact = dict.fromkeys(ways, 0)
    embedded = dict.fromkeys(ways, 0)
    spent_ms: dict[str, list[float]] = {name: [] for name in ways}
    for frame, heads in zip(frames, truth, strict=True):
        for name, way in ways.items():
            begin = time.perf_counter()
            counted, asked = way(frame)
            spent_ms[name].append(1000 * (time.perf_counter() - begin))
            exact[name] += counted == heads
            embedded[name] += asked
    table = Table(
        "way", "headcount exact", "faces embedded", "ms per look, median", "share of the naive loop"
    )
    naive_ms = median(spent_ms["naive loop"])
    for name in ways:
        own_ms = median(spent_ms[name])
        table.add_row(
            name, f"{exact[name]} / {looks}", str(embedded[name]), f"{own_ms:.0f}", f"{own_ms / naive_ms:.2f}"
        )
    Console().print(table)
