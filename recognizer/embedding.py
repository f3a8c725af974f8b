"""dlib's face network: a face crop to 128 numbers."""

import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recognizer.errors import EngineError
from recognizer.observation import FaceCrop

__all__ = ["DIMENSIONS", "MODEL", "Vector", "embed"]

Vector = NDArray[np.float32]
DIMENSIONS = 128
MODEL = "dlib_face_recognition_resnet_model_v1, 5-point alignment"
_lock = threading.Lock()


def embed(crop: FaceCrop) -> Vector:
    """The face's embedding: float32 of shape (128,), Euclidean distance below about .6 for one person.

    About 75 ms on one core. Calls from several threads wait for each other: dlib's networks keep state.
    Network: Davis King, dlib's face recognition ResNet (blog.dlib.net, 2017).
    """
    x1, y1, x2, y2 = crop.box_xyxy
    if x2 <= x1 or y2 <= y1:
        raise EngineError(f"face box {crop.box_xyxy} is empty")
    rgb = np.ascontiguousarray(cv2.cvtColor(crop.image, cv2.COLOR_BGR2RGB))
    with _lock:
        dlib, align, network = _models()
        landmarks = align(rgb, dlib.rectangle(x1, y1, x2, y2))
        return np.asarray(network.compute_face_descriptor(rgb, landmarks), dtype=np.float32)


@cache
def _models() -> tuple[Any, Any, Any]:
    import dlib

    folder = model_folder()
    align = dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
    return dlib, align, network


def model_folder() -> Path:
    """Where the weights lie. The package is found, not imported: it needs `pkg_resources`, which setuptools dropped.

    Raises EngineError where it is not installed.
    """
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the face models are not installed; run 'pip install face_recognition_models'")
    return Path(next(iter(spec.submodule_search_locations))) / "models"
