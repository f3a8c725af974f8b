"""Faces as the first release stored them, a JSON file each, read once to be taken over."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["old_faces"]


def old_faces(folder: Path, dimensions: int) -> Iterator[tuple[str, str, str, NDArray[np.float32]]]:
    """Face id, external id, model and embedding, float32 of shape (dimensions,), of each readable file."""
    for path in sorted(folder.glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(path.read_text())
            vector = np.asarray(record["vector"], np.float32)
            if vector.shape == (dimensions,) and np.isfinite(vector).all():
                yield path.stem, str(record["external_id"]), str(record["model"]), vector
