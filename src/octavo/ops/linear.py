"""What convolutions and fully connected layers share when they become integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Array, TensorType
from octavo.num.qparams import PerChannel, QParams
from octavo.num.tables import activation_limits
from octavo.ops.base import Example, Op, Site
from octavo.ops.half.rounding import DTYPE, half_limit
from octavo.ops.integer import conv_requantization
from octavo.ops.integer.requantizing import BIAS_DTYPES
from octavo.ops.unary import Clip
from octavo.ops.window import Pair, Quad

__all__ = [
    "bias_scale",
    "half_bias",
    "half_parameters",
    "least_scale",
    "over_weights",
    "quantize_bias",
    "random_example",
    "requantized_parameters",
    "window_fields",
]


def bias_scale(x: QParams, w: QParams) -> NDArray[np.float64]:
    """float64 [channels or 1]: the scale of the accumulator and so of the bias."""
    return x.scale.astype(np.float64) * w.scale.astype(np.float64)


def over_weights(op: Op, vector: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A number per input channel of a linear operator, so that it broadcasts over its weights of ``shape``."""
    groups = getattr(op, "groups", 1)
    if op.channel_axis == 3:
        return np.repeat(vector, shape[3] // vector.size)
    if groups > 1:
        grouped = np.repeat(vector.reshape(groups, -1), shape[0] // groups, axis=0)
        return grouped.reshape(shape[0], 1, 1, shape[3])
    return vector


_BIAS_BITS = {"int8": 31, "int16": 47}
"""Bits of an accumulator's magnitude, by the dtype of the activations: 16x8 requantizes a 48-bit number."""


def least_scale(bias: Array, x: QParams) -> NDArray[np.float64]:
    """float64 [channels]: the weights' scale below which the bias leaves 30 bits of the accumulator."""
    return np.asarray(np.abs(bias.astype(np.float64)) / (float(x.scale[0]) * 2.0**30))


def quantize_bias(bias: Array, x: QParams, w: QParams, where: str) -> NDArray[np.int32 | np.int64]:
    """Bias in the accumulator's scale, int32 (int64 where x is int16); OctavoError when it overflows."""
    q = np.rint(bias.astype(np.float64) / bias_scale(x, w))
    if (np.abs(q) > 2 ** _BIAS_BITS[x.dtype] - 1).any():
        channel = int(np.argmax(np.abs(q)))
        raise OctavoError(
            where,
            f"the bias of channel {channel} ({bias[channel]:.4g}) overflows {BIAS_DTYPES[x.dtype]} at the scale of its "
            "accumulator",
            "The channel's weights are vanishingly small: prune the channel or quantize the weights per tensor.",
        )
    return q.astype(BIAS_DTYPES[x.dtype])


def window_fields(site: Site, stride: Pair, padding: Quad) -> dict[str, int]:
    """Shapes, stride and padding as the integer convolutions name them."""
    (_, in_h, in_w, in_c), (_, out_h, out_w, out_c) = site.type(0).shape, site.out_type().shape
    kernel_h, kernel_w = site.type(1).shape[1:3]
    return {
        "in_h": in_h,
        "in_w": in_w,
        "in_c": in_c,
        "out_h": out_h,
        "out_w": out_w,
        "out_c": out_c,
        "kernel_h": kernel_h,
        "kernel_w": kernel_w,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "pad_top": padding[0],
        "pad_left": padding[2],
    }


def random_example(op: Op, image: tuple[int, ...], weight: tuple[int, ...]) -> Example:
    """A convolution of an image [H, W, C] with random weights and biases, for ``examples``."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=weight).astype(np.float32)
    b = rng.normal(size=weight[op.channel_axis]).astype(np.float32)
    return Example(op, (TensorType((1, *image)), TensorType(weight), TensorType(b.shape)), {1: w, 2: b})


def requantized_parameters(site: Site, activation: Clip) -> tuple[dict[str, int], dict[str, Array]]:
    """The fields and constants of an operator that accumulates and requantizes.

    Fields: per_channel, input_zero_point, output_zero_point, act_min, act_max. Constants: weights, bias, multiplier,
    shift.
    """
    x, w, y = site.x(0), site.x(1), site.y()
    where = site.node.source or site.node.name
    if np.any(w.zero_point != 0):
        raise OctavoError(
            where,
            "its weights have a zero_point: the zero_point times the sum of the input depends on the data, and no "
            "kernel computes it",
            "Quantize the weights symmetrically; docs/formats.md says what a zero_point would cost.",
        )
    multiplier, shift = conv_requantization(x.scale[0], w.scale, y.scale[0])
    act_min, act_max = activation_limits(
        activation.minimum, activation.maximum, y.scale[0], int(y.zero_point[0]), y.limits
    )
    weights, bias = site.integers(1), quantize_bias(site.bias(2), x, w, where)
    _check_accumulator(site, weights, bias, shift, where)
    fields = {
        "per_channel": int(isinstance(w.granularity, PerChannel)),
        "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "act_min": act_min,
        "act_max": act_max,
    }
    consts: dict[str, Array] = {
        "weights": weights,
        "bias": bias,
        "multiplier": multiplier,
        "shift": shift,
    }
    return fields, consts


def half_bias(bias: Array) -> Array:
    """A bias as float16, inside the finite numbers; never -0, so that no sum is."""
    one = QParams(DTYPE, np.ones(1, np.float32), np.zeros(1, np.int32))
    return np.asarray(one.quantize(bias) + np.float16(0))


def half_parameters(site: Site, activation: Clip) -> tuple[dict[str, Any], dict[str, Array]]:
    """The fields act_min and act_max, and the constants weights and bias of a float16 layer."""
    fields = {"act_min": half_limit(activation.minimum), "act_max": half_limit(activation.maximum)}
    return fields, {"weights": site.integers(1), "bias": half_bias(site.bias(2))}


def _check_accumulator(site: Site, weights: Array, bias: Array, shift: Array, where: str) -> None:
    """OctavoError unless no accumulator, and no product with its multiplier, leaves the bits it has."""
    x = site.x(0)
    low, high = x.limits
    reach = max(high - int(x.zero_point[0]), int(x.zero_point[0]) - low)
    bits = _BIAS_BITS[x.dtype]
    assert isinstance(site.node.op, Op)
    others = tuple(axis for axis in range(weights.ndim) if axis != site.node.op.channel_axis)
    bound = np.abs(weights.astype(np.int64)).sum(axis=others) * reach + np.abs(bias.astype(np.int64))
    if (bound >= 2**bits).any():
        raise OctavoError(
            where,
            f"its accumulator can reach {int(bound.max()):,}, more than {bits + 1} bits hold",
            "Split the layer into smaller ones, or lower its bias.",
        )
    if _leaves_32_bits(bound, shift.astype(np.int64), x.dtype):
        raise OctavoError(
            where,
            "its output range is so narrow that rescaling leaves 32 bits",
            "The layer's output is all but constant on the calibration data: check the data, or prune the layer.",
        )


def _leaves_32_bits(bound: NDArray[np.int64], shift: NDArray[np.int64], dtype: str) -> bool:
    """Whether rescaling can overflow: int8 shifts left before it multiplies, int16 needs the result in 32 bits."""
    if dtype == "int8":
        return bool((bound << np.maximum(shift, 0) >= 2**31).any())
    # The multiplier is below 2^shift; a shift above 7 is outside the interpreter's contract.
    return bool((np.ldexp(bound.astype(np.float64), shift) >= 2**31).any() or (shift > 7).any())
