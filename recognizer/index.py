"""An approximate index over very many faces: which few are worth an exact comparison."""

import hashlib
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from db.files import write_whole
from recognizer.embedding import DIMENSIONS, Vector
from recognizer.snapshot import Snapshot
from recognizer.vectors import VectorFolder

__all__ = ["FaceIndex"]

FORMAT = 1
DIGEST_BYTES = 32
WORTH_COMPARING = 512
"""Faces per probe that the index proposes."""
SEARCHED_SHARE = 3 / 16
"""Of the lists into which the faces are sorted. With 512 proposals from this share, the exactly nearest face is among
them for 99.6 % of single looks at one of a million."""
SAMPLES_PER_LIST = 40
ROUNDS = 6
GROWTH = 4
"""How much a collection may grow before its lists are laid out anew."""
UNSAVED_SHARE = 0.1


class FaceIndex:
    """faiss' inverted lists with product quantisation (`IVF…,PQ64x4fsr`), 40 bytes a face, kept beside the vectors.

    Follows snapshots: faces that came are added, faces that went are removed. Built at the first call, which takes some
    10 s for a million faces; the file spares later programs that. A file that is missing, damaged or out of date only
    costs that time again. Safe to share between threads, which wait for each other.
    """

    def __init__(self, folder: VectorFolder) -> None:
        self._folder = folder
        self._path = index_path(folder.folder)
        self._lock = threading.Lock()
        self._index: Any = None
        self._numbers: NDArray[np.int64] = np.empty(0, np.int64)
        self._trained_on = self._removals = self._unsaved = 0

    def nearest(self, snapshot: Snapshot, probes: Vector) -> NDArray[np.int64]:
        """Rows of the snapshot that may be nearest, int64 of shape (probes, 512), -1 where there are fewer.

        `probes`: float32 of shape (probes, 128), of length 1.
        """
        import faiss

        with self._lock:
            # For this thread only. On a busy machine two wait for each other, twenty times as long when training.
            faiss.omp_set_num_threads(1)
            self._follow(snapshot)
            lists = max(8, round(self._index.nlist * SEARCHED_SHARE))
            parameters: Any = faiss.SearchParametersIVF()
            parameters.nprobe = lists
            _, numbers = self._index.search(probes, WORTH_COMPARING, params=parameters)
        rows = np.minimum(np.searchsorted(snapshot.numbers, numbers), len(snapshot) - 1)
        return np.where(snapshot.numbers[rows] == numbers, rows, -1)

    def _follow(self, snapshot: Snapshot) -> None:
        if self._index is None:
            self._read()
        if self._index is not None and snapshot.removals < self._removals:
            return  # the search of somebody who began before a face went
        if self._index is None or len(snapshot) > GROWTH * self._trained_on:
            self._build(snapshot)
        elif snapshot.removals > self._removals:
            gone = np.setdiff1d(self._numbers, snapshot.numbers, assume_unique=True)
            self._index.remove_ids(gone)
            self._numbers = np.setdiff1d(self._numbers, gone, assume_unique=True)
            self._unsaved = len(snapshot)  # the file was erased with the faces
        self._removals = snapshot.removals
        last = self._numbers[-1] if len(self._numbers) else 0
        if new := len(snapshot) - int(np.searchsorted(snapshot.numbers, last, "right")):
            self._add(snapshot.matrix[-new:], snapshot.numbers[-new:])
        if self._unsaved > UNSAVED_SHARE * len(snapshot):
            self._write(snapshot)

    def _build(self, snapshot: Snapshot) -> None:
        import faiss

        lists = 1 << max(4, round(np.log2(np.sqrt(len(snapshot)))))
        self._index = faiss.index_factory(DIMENSIONS, f"IVF{lists},PQ64x4fsr", faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter = ROUNDS
        chosen = np.random.default_rng(0).permutation(len(snapshot))[: lists * SAMPLES_PER_LIST]
        self._index.train(snapshot.matrix[np.sort(chosen)])
        self._numbers = np.empty(0, np.int64)
        self._trained_on, self._unsaved = len(snapshot), 0

    def _add(self, matrix: Vector, numbers: NDArray[np.int64]) -> None:
        self._index.add_with_ids(np.ascontiguousarray(matrix), np.ascontiguousarray(numbers))
        self._numbers = np.concatenate([self._numbers, numbers])
        self._unsaved += len(numbers)

    def _read(self) -> None:
        import faiss

        with suppress(OSError):
            content = self._path.read_bytes()
            if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
                return
            with np.load(BytesIO(content[DIGEST_BYTES:]), allow_pickle=False) as kept:
                if int(kept["format"]) != FORMAT:
                    return
                self._index = faiss.deserialize_index(kept["index"])
                self._numbers = kept["numbers"]
                self._trained_on, self._removals = int(kept["trained_on"]), int(kept["removals"])

    def _write(self, snapshot: Snapshot) -> None:
        import faiss

        content = BytesIO()
        np.savez(
            content,
            format=FORMAT,
            index=faiss.serialize_index(self._index),
            numbers=self._numbers,
            trained_on=self._trained_on,
            removals=self._removals,
        )
        bare = content.getvalue()
        # A face that is removed meanwhile must not come back to the disk as an entry of the index.
        with self._folder.unchanged(snapshot) as same, suppress(OSError):
            if same:
                write_whole(self._path, hashlib.sha256(bare).digest() + bare)
                self._unsaved = 0


def index_path(folder: Path) -> Path:
    """Where the index over a folder's faces lies."""
    return folder / "faces.index"
