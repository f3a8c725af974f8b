"""A face to 128 numbers: dlib's alignment by five points, then its face network."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.errors import EngineError
from recognizer.network import load_network, model_folder
from recognizer.observation import FaceCrop
from recognizer.weights import CHIP_PX, OUTPUTS
from recognizer.workers import side_by_side

__all__ = ["DIMENSIONS", "MODEL", "Vector", "align", "embed", "unit"]

Vector = NDArray[np.float32]
DIMENSIONS = OUTPUTS
MODEL = "dlib_face_recognition_resnet_model_v1, 5-point alignment"

PADDING = 0.25
"""Of the aligned face, as a share of its size: dlib's own default for this network."""
BATCH = 4
"""Faces a thread embeds in one go: two threads share 25 about evenly, and larger batches save little."""


def embed(crops: Sequence[FaceCrop], mirrored: bool = False) -> Vector:
    """The faces' embeddings: float32 of shape (n, 128), Euclidean distance below about .6 for one person.

    `mirrored`: of the aligned faces' mirror images. About 6 ms a face on one core. Safe to call from several threads.
    Network: Davis King, dlib's face recognition ResNet (blog.dlib.net, 2017).

    Raises EngineError for an empty box or where the models are missing.
    """
    batches = [crops[first : first + BATCH] for first in range(0, len(crops), BATCH)]
    network = load_network()

    def embedded(batch: Sequence[FaceCrop]) -> Vector:
        chips = [align(crop) for crop in batch]
        return network.embed([np.ascontiguousarray(chip[:, ::-1]) for chip in chips] if mirrored else chips)

    return np.concatenate([np.empty((0, DIMENSIONS), np.float32), *side_by_side(embedded, batches)])


def align(crop: FaceCrop) -> NDArray[np.uint8]:
    """The face turned upright and scaled as the network expects it: uint8 of shape (150, 150, 3), RGB."""
    x1, y1, x2, y2 = crop.box_xyxy
    if x2 <= x1 or y2 <= y1:
        raise EngineError(f"face box {crop.box_xyxy} is empty")
    rgb = np.ascontiguousarray(cv2.cvtColor(crop.image, cv2.COLOR_BGR2RGB))
    dlib, points = _predictor()
    landmarks = points(rgb, dlib.rectangle(x1, y1, x2, y2))
    return np.asarray(dlib.get_face_chip(rgb, landmarks, CHIP_PX, PADDING), np.uint8)


def unit(vectors: Vector) -> Vector:
    """Vectors, of shape (…, 128), at length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


@cache
def _predictor() -> tuple[Any, Any]:
    """dlib and its landmark predictor, which may be shared between threads (shape_predictor_abstract.h)."""
    import dlib

    return dlib, dlib.shape_predictor(str(model_folder() / "shape_predictor_5_face_landmarks.dat"))
