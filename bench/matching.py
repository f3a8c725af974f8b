"""How long 25 faces take to be found among N, comparing all of them and through the index, and how often rightly.

The collections are made of real embeddings: as many people as there are pictures of are embedded, and N others are
drawn from a normal distribution with the mean and covariance of theirs. A probe is one of the N, moved as the same
people's other pictures differ from their enrolled one; a stranger is one more draw. Uniform noise would be easier for
comparing all and harder for any index than faces are. Both ways answer the same probes in turn in one run.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.people import load_folk
from recognizer.embedding import MODEL, Vector, embed, unit
from recognizer.index import FaceIndex, index_path
from recognizer.observation import FaceCrop, Image
from recognizer.photo import find_faces
from recognizer.snapshot import Snapshot
from recognizer.vectors import StoredFace, VectorFolder

__all__ = ["main", "population"]

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 10_000, 100_000)
PROBES, PER_LOOK = 500, 25
CHUNK = 50_000
EVENNESS = 0.1
"""Share of the variance spread evenly over all directions: a few hundred faces do not show every one of them."""


@dataclass(frozen=True, slots=True)
class Population:
    """How embeddings differ between people, and between two pictures of one. `source` says whose they are."""

    mean: NDArray[np.float64]
    between: NDArray[np.float64]
    within: NDArray[np.float64]
    source: str

    def people(self, count: int, rng: np.random.Generator) -> Vector:
        """Embeddings of so many people, float32 of shape (count, 128), of length 1."""
        drawn = rng.standard_normal((count, len(self.mean)), np.float32) @ self.between.T.astype(np.float32)
        return unit(drawn + self.mean.astype(np.float32))

    def seen_again(self, persons: Vector, rng: np.random.Generator) -> Vector:
        """The same people in other pictures."""
        moved = rng.standard_normal(persons.shape, np.float32) @ self.within.T.astype(np.float32)
        return unit(persons + moved)


def population(pictures_each: int = 5) -> Population:
    """Measured on the pictures that there are."""
    folk = load_folk()
    persons, others = [], []
    for subject in folk.people:
        shown = [subject.portrait, *subject.pictures[:pictures_each]]
        vectors = unit(embed([_crop(picture) for picture in shown if picture is not None]))
        persons.append(vectors[0])
        others.extend(vectors[1:] - vectors[0])
    strangers = [_crop(subject.pictures[0]) for subject in folk.strangers]
    persons.extend(unit(embed(strangers)))
    between, within = np.array(persons), np.array(others)
    return Population(between.mean(axis=0), _factor(between), _factor(within, centred=True), folk.source)


def _crop(picture: Image) -> FaceCrop:
    height, width = picture.shape[:2]
    middle = (width * 27 // 100, height * 27 // 100, width * 73 // 100, height * 73 // 100)
    return FaceCrop(picture, (find_faces(picture) or [middle])[0])


def _factor(vectors: Vector, centred: bool = False) -> NDArray[np.float64]:
    """A matrix that turns independent normal numbers into vectors with these vectors' covariance."""
    spread = vectors.T @ vectors / len(vectors) if centred else np.cov(vectors.T)
    even = np.trace(spread) / len(spread) * np.eye(len(spread))
    return np.asarray(np.linalg.cholesky((1 - EVENNESS) * spread + EVENNESS * even), np.float64)


def main(argv: Sequence[str] | None = None) -> None:
    """Print seconds to load and to build, milliseconds per look, and recall against comparing all."""
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="no more than 100,000 faces")
    options = parser.parse_args(argv)
    people = population(1 if options.quick else 5)
    table = Table(
        *("faces", "way", "load s", "build s", "from file s", f"ms per {PER_LOOK}, median (slowest)"),
        *("recall@1", "strangers"),
        title=f"Embeddings like those of {people.source}",
    )
    for size in QUICK_SIZES if options.quick else SIZES:
        for row in measure(people, size):
            table.add_row(*row)
    Console(width=130).print(table)
    print(
        "recall@1: how often the nearest face of all is found, for probes that are somebody enrolled; for strangers the\n"
        "nearest face is nobody's and only matters in being far. Load: reading the SQLite file."
    )


def measure(people: Population, size: int) -> list[list[str]]:
    """The table's rows for a collection of `size` faces, stored in a folder and loaded from it."""
    rng = np.random.default_rng(size)
    with TemporaryDirectory(prefix="gridroll-bench-") as name:
        writer = VectorFolder(Path(name), MODEL)
        for first in range(0, size, CHUNK):
            persons = people.people(min(CHUNK, size - first), rng)
            faces = [
                StoredFace(f"{first + row:036d}", f"S{first + row}", MODEL) for row in range(len(persons))
            ]
            writer.add(faces, persons)
        writer.close()
        folder = VectorFolder(Path(name), MODEL)
        load_s = _seconds(folder.load)
        snapshot = folder.load()
        persons = snapshot.matrix[rng.integers(0, size, PROBES)]
        probes = np.concatenate([people.seen_again(persons, rng), people.people(PROBES, rng)])
        nearest, exact_ms = _look_by_look(probes, lambda look: _all(snapshot, look))
        rows = [[f"{size:,}", "compare all", f"{load_s:.2f}", "", "", _ms(exact_ms), "1", "1"]]
        if size >= 100_000:
            index = FaceIndex(folder)
            build_s = _seconds(lambda: index.nearest(snapshot, probes[:1]))
            kept = FaceIndex(folder)
            file_s = _seconds(lambda: kept.nearest(snapshot, probes[:1]))
            found, index_ms = _look_by_look(probes, lambda look: _through(index, snapshot, look))
            right = found == nearest
            recalls = [f"{right[:PROBES].mean():.3f}", f"{right[PROBES:].mean():.3f}"]
            way = f"index ({index_path(folder.folder).stat().st_size / 1e6:.0f} MB)"
            rows.append(["", way, "", f"{build_s:.1f}", f"{file_s:.2f}", _ms(index_ms), *recalls])
        folder.close()
    return rows


def _all(snapshot: Snapshot, probes: Vector) -> NDArray[np.int64]:
    return np.asarray((probes @ snapshot.matrix.T).argmax(axis=1), np.int64)


def _through(index: FaceIndex, snapshot: Snapshot, probes: Vector) -> NDArray[np.int64]:
    """The nearest of the faces that the index proposes, compared exactly."""
    rows = []
    for probe, proposed in zip(probes, index.nearest(snapshot, probes), strict=True):
        near = proposed[proposed >= 0]
        rows.append(near[(snapshot.matrix[near] @ probe).argmax()])
    return np.array(rows, np.int64)


def _look_by_look(
    probes: Vector, search: Callable[[Vector], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], list[float]]:
    found, spent_ms = [], []
    for first in range(0, len(probes), PER_LOOK):
        begin = time.perf_counter()
        found.append(search(probes[first : first + PER_LOOK]))
        spent_ms.append(1000 * (time.perf_counter() - begin))
    return np.concatenate(found), spent_ms


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _ms(spent_ms: Sequence[float]) -> str:
    return f"{median(spent_ms):.2f} ({max(spent_ms):.1f})"


if __name__ == "__main__":
    main()
