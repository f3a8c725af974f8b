"""dlib's face network as it lies in its weights file, rewritten for onnxruntime."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recognizer.errors import EngineError

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

__all__ = ["CHIP_PX", "OUTPUTS", "convert"]

CHIP_PX = 150
OUTPUTS = 128

MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 256.0
BLOCKS = ((32, 3), (64, 3), (128, 2), (256, 2), (256, 0))
"""Channels of each stage and its residual blocks, from the input on. All stages but the first begin with a halving block."""

Array = NDArray[np.float32]


def convert(weights: bytes) -> bytes:
    """The network as an ONNX model: uint8 `chips` of shape (n, 150, 150, 3), RGB, to float32 `embeddings` (n, 128).

    `weights`: the content of `dlib_face_recognition_resnet_model_v1.dat`. The architecture is `anet_type` of dlib's
    example dnn_face_recognition_ex.cpp (Davis King, 2017): 29 convolutions, each with an affine layer that is folded
    into it here, as is the normalisation of the input.

    Raises EngineError for a file that holds something else.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph(_convolutions(weights))
    graph.add("Cast", ["chips"], "as_float", to=TensorProto.FLOAT)
    graph.add("Transpose", ["as_float"], "rgb", perm=[0, 3, 1, 2])
    layer = graph.convolve(_Layer("rgb", 3, CHIP_PX), stride=2, padding=0, normalise=True)
    layer = graph.relu(layer)
    graph.add("MaxPool", [layer.name], "stem", kernel_shape=[3, 3], strides=[2, 2])
    layer = _Layer("stem", layer.channels, (layer.side - 3) // 2 + 1)
    for stage, (channels, repeats) in enumerate(BLOCKS):
        if stage:
            layer = graph.block(layer, halve=True)
        for _ in range(repeats):
            layer = graph.block(layer, halve=False)
        if layer.channels != channels:
            raise EngineError(_STRANGE)
    graph.add("GlobalAveragePool", [layer.name], "pooled")
    graph.add("Flatten", ["pooled"], "features")
    graph.add("MatMul", ["features", graph.constant(_matrix(weights, layer.channels))], "embeddings")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib_face_recognition_resnet_model_v1",
            [helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", CHIP_PX, CHIP_PX, 3])],
            [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", OUTPUTS])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


_STRANGE = (
    "dlib_face_recognition_resnet_model_v1.dat is damaged or of another network; "
    "run 'pip install --force-reinstall face_recognition_models'"
)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer's output: its name, its channels and the side of its square maps."""

    name: str
    channels: int
    side: int


class _Graph:
    """ONNX nodes in the order of the network, with the convolutions taken from the file one after the other."""

    def __init__(self, convolutions: Iterator[tuple[Array, Array]]) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._convolutions = convolutions

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[np.generic]) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def convolve(self, layer: _Layer, stride: int, padding: int, normalise: bool = False) -> _Layer:
        taken = next(self._convolutions, None)
        if taken is None or taken[0].shape[1] != layer.channels:
            raise EngineError(_STRANGE)
        filters, biases = taken
        outputs, _, size, _ = filters.shape
        if normalise:
            filters = filters / np.float32(SCALE)
            biases = biases - filters.sum((2, 3)) @ np.array(MEAN_RGB, np.float32)
        name = self.add(
            "Conv",
            [layer.name, self.constant(filters), self.constant(biases.astype(np.float32))],
            f"layer_{len(self.nodes)}",
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[padding] * 4,
        )
        return _Layer(name, outputs, (layer.side + 2 * padding - size) // stride + 1)

    def relu(self, layer: _Layer) -> _Layer:
        name = self.add("Relu", [layer.name], f"layer_{len(self.nodes)}")
        return _Layer(name, layer.channels, layer.side)

    def block(self, layer: _Layer, halve: bool) -> _Layer:
        """Two convolutions beside a shortcut, added. The sum has the larger of both shapes, the rest being zero."""
        stride, padding = (2, 0) if halve else (1, 1)
        path = self.relu(self.convolve(layer, stride, padding))
        path = self.convolve(path, 1, 1)
        shortcut = layer
        if halve:
            name = self.add(
                "AveragePool", [layer.name], f"layer_{len(self.nodes)}", kernel_shape=[2, 2], strides=[2, 2]
            )
            shortcut = _Layer(name, layer.channels, (layer.side - 2) // 2 + 1)
        channels, side = max(path.channels, shortcut.channels), max(path.side, shortcut.side)
        ends = [self._pad(one, channels, side).name for one in (path, shortcut)]
        return self.relu(_Layer(self.add("Add", ends, f"layer_{len(self.nodes)}"), channels, side))

    def _pad(self, layer: _Layer, channels: int, side: int) -> _Layer:
        if (layer.channels, layer.side) == (channels, side):
            return layer
        more = side - layer.side
        pads = np.array([0, 0, 0, 0, 0, channels - layer.channels, more, more], np.int64)
        name = self.add("Pad", [layer.name, self.constant(pads)], f"layer_{len(self.nodes)}")
        return _Layer(name, channels, side)


def _convolutions(weights: bytes) -> Iterator[tuple[Array, Array]]:
    """Filters (out, in, rows, columns) and biases (out,) of each convolution with its affine layer folded in."""
    place, channels = 0, 3
    while (place := weights.find(_tag("con_4"), place)) >= 0:
        values, place = _tensor(weights, place + len(_tag("con_4")))
        place = weights.find(_tag("affine_"), place)
        if place < 0:
            raise EngineError(_STRANGE)
        scale_and_shift, place = _tensor(weights, place + len(_tag("affine_")))
        outputs = scale_and_shift.size // 2
        gammas, betas = scale_and_shift[:outputs], scale_and_shift[outputs:]
        size, rest = divmod(values.size - outputs, outputs * channels)
        side = round(size**0.5)
        if rest or side * side != size:
            raise EngineError(_STRANGE)
        filters = values[:-outputs].reshape(outputs, channels, side, side)
        yield filters * gammas[:, None, None, None], values[-outputs:] * gammas + betas
        channels = outputs


def _matrix(weights: bytes, inputs: int) -> Array:
    place = weights.find(_tag("fc_2"))
    if place < 0:
        raise EngineError(_STRANGE)
    _, place = _integer(weights, place + len(_tag("fc_2")))
    _, place = _integer(weights, place)  # outputs and inputs, which the tensor says again
    values, _ = _tensor(weights, place)
    if values.size != inputs * OUTPUTS:
        raise EngineError(_STRANGE)
    return values.reshape(inputs, OUTPUTS)


def _tag(name: str) -> bytes:
    """A string as dlib serialises it: its length as an integer, then its letters."""
    return bytes((1, len(name))) + name.encode()


def _integer(weights: bytes, place: int) -> tuple[int, int]:
    """The integer there, and the place after it: one byte of length, then the bytes, lowest first."""
    if place >= len(weights):
        raise EngineError(_STRANGE)
    end = place + 1 + weights[place]
    return int.from_bytes(weights[place + 1 : end], "little"), end


def _tensor(weights: bytes, place: int) -> tuple[Array, int]:
    """The tensor's numbers in a row, and the place after it: version 2, four sizes, then little-endian float32."""
    header = []
    for _ in range(5):
        value, place = _integer(weights, place)
        header.append(value)
    count = prod(header[1:])
    if header[0] != 2 or not 0 < 4 * count <= len(weights) - place:
        raise EngineError(_STRANGE)
    return np.frombuffer(weights, "<f4", count, place).astype(np.float32), place + 4 * count
