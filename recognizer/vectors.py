"""The local engine's collection on disk: one small file per face, written whole or not at all."""

import json
import os
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from numpy.typing import NDArray

from db.errors import StoreError
from recognizer.embedding import DIMENSIONS, Vector

__all__ = ["StoredFace", "VectorFolder"]


@dataclass(frozen=True, slots=True)
class StoredFace:
    face_id: str
    external_id: str
    model: str


class VectorFolder:
    """Embeddings by face id. Safe to share between threads and programs: changes by others are seen at the next call.

    Raises StoreError for a folder that cannot be used or a file that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: int | None = None
        self._faces: list[StoredFace] = []
        self._matrix: NDArray[np.float32] = np.empty((0, DIMENSIONS), np.float32)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(
                f"cannot make {folder}: {error.strerror}; choose another GRIDROLL_HOME"
            ) from error

    def load(self) -> tuple[list[StoredFace], NDArray[np.float32]]:
        """All faces and their embeddings, float32 of shape (faces, 128), row by row in the same order. Read only."""
        with self._lock:
            try:
                stamp = self._folder.stat().st_mtime_ns
            except OSError as error:
                raise StoreError(f"the face vectors at {self._folder} are gone: {error.strerror}") from error
            if stamp != self._stamp:
                self._read()
                self._stamp = stamp
            return self._faces, self._matrix

    def add(self, face: StoredFace, vector: Vector) -> None:
        """Store a face; when this returns, it is on the disk."""
        record = {
            "external_id": face.external_id,
            "model": face.model,
            "vector": [float(value) for value in vector],
        }
        try:
            with NamedTemporaryFile("w", dir=self._folder, suffix=".part", delete=False) as part:
                json.dump(record, part)
                part.flush()
                os.fsync(part.fileno())
            Path(part.name).replace(self._path(face.face_id))
            self._sync()
        except OSError as error:
            raise StoreError(f"cannot write face vectors to {self._folder}: {error.strerror}") from error

    def remove(self, face_ids: Collection[str]) -> frozenset[str]:
        """Delete faces, overwriting their numbers first; returns the ids that were there."""
        removed = set()
        for face_id in face_ids:
            path = self._path(face_id).with_suffix(".part")  # half overwritten, it must not be read as a face
            with suppress(FileNotFoundError):
                self._path(face_id).rename(path)
                size = path.stat().st_size
                with path.open("r+b") as old:
                    old.write(b"\0" * size)
                    os.fsync(old.fileno())
                path.unlink()
                removed.add(face_id)
        self._sync()
        return frozenset(removed)

    def _path(self, face_id: str) -> Path:
        return self._folder / f"{face_id}.json"

    def _sync(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self) -> None:
        faces, rows = [], []
        for path in sorted(self._folder.glob("*.json")):
            try:
                record = json.loads(path.read_text())
                row = np.asarray(record["vector"], np.float32)
                face = StoredFace(path.stem, record["external_id"], record["model"])
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    f"face vector {path} is damaged; remove it and enrol that student again"
                ) from error
            if row.shape != (DIMENSIONS,):
                raise StoreError(f"face vector {path} has {row.size} numbers, not {DIMENSIONS}; remove it")
            faces.append(face)
            rows.append(row)
        self._faces = faces
        self._matrix = np.stack(rows) if rows else np.empty((0, DIMENSIONS), np.float32)
        self._matrix.flags.writeable = False
