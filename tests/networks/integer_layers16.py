"""Random 16x8 layers: those of integer_layers with int16 activations."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import TensorType
from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D, QConv2D16
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D, QDepthwiseConv2D16
from octavo.ops.integer.elementwise import LEFT_SHIFT, QAdd, QAdd16
from octavo.ops.integer.fully_connected import QFullyConnected, QFullyConnected16
from octavo.ops.integer.pool2d import QAveragePool2D, QAveragePool2D16, QMaxPool2D, QMaxPool2D16
from tests.networks.integer_layers import Layer, convolution

__all__ = ["in_int16", "pointwise"]

_FORMS: dict[type[IntegerOp], type[IntegerOp]] = {
    QAdd: QAdd16, QAveragePool2D: QAveragePool2D16, QConv2D: QConv2D16, QDepthwiseConv2D: QDepthwiseConv2D16,
    QFullyConnected: QFullyConnected16, QMaxPool2D: QMaxPool2D16,
}  # fmt: skip
_LIMITS = ((-32768, 32767), (0, 32767), (0, 20000), (-1000, 30000))


def in_int16(rng: np.random.Generator, layer: Layer) -> Layer:
    """The layer with int16 activations: zero points 0, biases int64, limits of several kinds."""
    op, moving, constants, shape = layer
    low, high = _LIMITS[int(rng.integers(0, len(_LIMITS)))]
    fields = asdict(op) | {"act_min": low, "act_max": high}
    fields |= {name: 0 for name in fields if name.endswith("zero_point")}
    if isinstance(op, QAdd):
        fields["output_shift"] += fields["left_shift"] - LEFT_SHIFT["int16"]
        fields["left_shift"] = LEFT_SHIFT["int16"]
    types = [TensorType(type_.shape, "int16") for type_ in moving]
    return _FORMS[type(op)](**fields), types, _constants(rng, list(constants)), shape


def pointwise(rng: np.random.Generator, channels: int = 0) -> Layer:
    """A convolution of one pixel, its channels in fours; of so many ``channels`` where they are given."""
    while True:
        op, (image,), constants, shape = convolution(rng, (1, 1))
        assert isinstance(op, QConv2D)
        if (op.stride_h, op.stride_w, op.out_h, op.out_w, op.in_c % 4) == (1, 1, op.in_h, op.in_w, 0):
            break
    if channels:
        op, image = replace(op, in_c=channels), TensorType((*image.shape[:3], channels), "int8")
        weights = rng.integers(-127, 128, (op.out_c, 1, 1, channels)).astype(np.int8)
        constants = [weights, *constants[1:]]
    return in_int16(rng, (op, [image], constants, shape))


def _constants(rng: np.random.Generator, constants: list[NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    """Now and then small weights, and a channel that hardly answers to its inputs beside a large bias."""
    if not constants:
        return []
    w, narrow, multiplier, shift = constants
    bias = np.asarray(narrow, np.int64)
    bias = np.where(np.abs(bias) < 2**13, 256 * bias, bias)
    if rng.integers(0, 3) == 0:
        w = (np.asarray(w, np.int64) // 16).astype(np.int8)
    if len(multiplier) > 3 and rng.integers(0, 3) == 0:
        bias[0], multiplier[0], shift[0] = 2**30 + int(rng.integers(-(2**20), 2**20)), 2**31 - 1, -20
    return [w, bias, multiplier, shift]
