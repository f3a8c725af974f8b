"""What embedding a face costs: dlib's wheel against the same network through onnxruntime, in turn in one run."""

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.people import load_folk
from recognizer.embedding import align
from recognizer.network import load_network, model_folder
from recognizer.observation import FaceCrop
from recognizer.photo import find_faces

__all__ = ["main"]

BATCHES = (1, 4, 8, 25)
FACES, QUICK_FACES = 50, 25

Chips = Sequence[NDArray[np.uint8]]


def main(argv: Sequence[str] | None = None) -> None:
    """Print milliseconds per aligned face for both, their ratio and the largest difference of any number."""
    parser = argparse.ArgumentParser(prog="python -m bench.embedding", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_FACES} faces instead of {FACES}")
    options = parser.parse_args(argv)
    chips = _chips(QUICK_FACES if options.quick else FACES)
    import dlib

    model: Any = dlib.face_recognition_model_v1(
        str(model_folder() / "dlib_face_recognition_resnet_model_v1.dat")
    )

    def by_dlib(some: Chips) -> NDArray[np.float64]:
        return np.array([model.compute_face_descriptor(chip) for chip in some])

    network = load_network()
    table = Table("faces at once", "dlib ms a face", "onnxruntime ms a face", "ratio", "largest difference")
    for batch in BATCHES:
        spent: dict[str, list[float]] = {"dlib": [], "onnxruntime": []}
        apart = 0.0
        for first in range(0, len(chips) - batch + 1, max(batch, 5)):
            some = chips[first : first + batch]
            theirs = _timed(by_dlib, some, spent["dlib"])
            ours = _timed(network.embed, some, spent["onnxruntime"])
            apart = max(apart, float(np.abs(theirs - ours).max()))
        dlib_ms, own_ms = median(spent["dlib"]), median(spent["onnxruntime"])
        table.add_row(
            str(batch), f"{dlib_ms:.1f}", f"{own_ms:.1f}", f"{dlib_ms / own_ms:.1f}", f"{apart:.1e}"
        )
    Console(width=110).print(table)


def _chips(count: int) -> Chips:
    """Aligned faces of everybody there are pictures of, uint8 of shape (150, 150, 3), RGB."""
    folk = load_folk()
    pictures = [picture for subject in (*folk.people, *folk.strangers) for picture in subject.pictures]
    chips: list[NDArray[np.uint8]] = []
    for picture in pictures:
        if len(chips) < count and (boxes := find_faces(picture)):
            chips.append(align(FaceCrop(picture, boxes[0])))
    if len(chips) < min(count, BATCHES[-1]):
        chips = (chips * count)[:count]  # of drawn people there are few pictures
    return chips


def _timed(work: Callable[[Chips], NDArray[Any]], some: Chips, spent_ms: list[float]) -> NDArray[Any]:
    begin = time.perf_counter()
    answer = work(some)
    spent_ms.append(1000 * (time.perf_counter() - begin) / len(some))
    return answer


if __name__ == "__main__":
    main()
