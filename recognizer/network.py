"""dlib's face network run by onnxruntime: 11 to 16 times faster than dlib's own wheel, with the same answers."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from db.files import write_whole
from recognizer.errors import EngineError
from recognizer.weights import OUTPUTS, convert

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["Network", "cache_folder", "load_network", "model_folder"]

FORMAT = 1
"""Of the converted file; raised when `convert` writes another graph."""

DIGEST_BYTES = 32


class Network:
    """Aligned faces to embeddings. May be shared between threads: onnxruntime's sessions keep no state of a call.

    `folder`: where the converted network is kept, so that only the first program converts it; None, or a folder that
    cannot be written, and it is converted in memory, which takes about a second. What lies there is used only when its
    hash and the weights it came from agree with what is expected, and is replaced whole otherwise.

    Raises EngineError where the weights are missing or damaged.
    """

    def __init__(self, folder: Path | None) -> None:
        self._session = _session(_model(folder))

    def embed(self, chips: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings, float32 of shape (n, 128), of aligned faces: each uint8 of shape (150, 150, 3), RGB."""
        if not chips:
            return np.empty((0, OUTPUTS), np.float32)
        return np.asarray(self._session.run(["embeddings"], {"chips": np.stack(chips)})[0], np.float32)


@cache
def load_network() -> Network:
    """This program's one network, converted at the first call if no program before did."""
    return Network(cache_folder())


def cache_folder() -> Path | None:
    """The platform's folder for what can be made again (XDG base directory specification); None without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "gridroll"
    except RuntimeError:
        return None


def model_folder() -> Path:
    """Where the weights lie. The package is found, not imported: it needs `pkg_resources`, which setuptools dropped.

    Raises EngineError where it is not installed.
    """
    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the face models are not installed; run 'pip install face_recognition_models'")
    return Path(next(iter(spec.submodule_search_locations))) / "models"


def _session(model: bytes) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # A call keeps to its own thread: two that share each layer take a quarter more processor time, and those that wait
    # by spinning nearly twice as much. Whoever has many faces calls from several threads.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _model(folder: Path | None) -> bytes:
    path = model_folder() / "dlib_face_recognition_resnet_model_v1.dat"
    try:
        weights = path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"cannot read the face model {path}: {error.strerror}; "
            "run 'pip install --force-reinstall face_recognition_models'"
        ) from error
    if folder is None:
        return convert(weights)
    kept = folder / f"dlib-resnet-{hashlib.sha256(weights).hexdigest()[:16]}-{FORMAT}.onnx"
    with suppress(OSError):
        content = kept.read_bytes()
        digest, model = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(model).digest() == digest:
            return model
    model = convert(weights)
    with suppress(OSError):  # without a place to keep it, it is converted anew next time
        write_whole(kept, hashlib.sha256(model).digest() + model)
    return model
