"""What the integer operators share that accumulate and requantize per channel: int8 in 32 bits, int16 in 64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import TensorType
from octavo.num.fixed_point import quantize_multipliers, requantize, requantize64, wrap

__all__ = [
    "BIAS_DTYPES",
    "accumulate_dtype",
    "conv_requantization",
    "finish",
    "parameter_types",
    "random_outputs",
    "random_parameters",
]

_MAX_INPUT = {"int8": 255, "int16": 32768}
BIAS_DTYPES = {"int8": "int32", "int16": "int64"}
"""The dtype of a bias, and so of the accumulator, by that of the activations."""


def conv_requantization(
    input_scale: float, weight_scales: NDArray[np.float32], output_scale: float
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """(multiplier int32 [n], shift int8 [n]) for M = input_scale * weight_scale / output_scale.

    Computed in float64 from float32 scales, as the interpreter does; see docs/numerics.md for the fully connected case.
    """
    product = np.float64(np.float32(input_scale)) * np.asarray(weight_scales, np.float32).astype(np.float64)
    return quantize_multipliers(product / np.float64(np.float32(output_scale)))


def accumulate_dtype(op: Any, weights: torch.Tensor, axis: int) -> torch.dtype:
    """The float type in which a dot product of the operator's inputs with these weights is exact.

    Every partial sum is an integer of at most 255 * sum |w| (32768 * sum |w| for int16); float32 holds all integers up
    to 2^24, float64 to 2^53.
    """
    others = [a for a in range(weights.ndim) if a != axis]
    bound = int(weights.long().abs().sum(dim=others).max()) * _MAX_INPUT[op.dtype] if others else 0
    return torch.float32 if bound < 2**24 else torch.float64


def finish(
    op: Any, accumulator: torch.Tensor, bias: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
) -> torch.Tensor:
    """Bias, requantization, zero point and clamp; channels are the last axis of the accumulator.

    Sums that leave the accumulator wrap, as in the kernels: a bias near 2^31, or a multiplier in the thousands.
    """
    total = accumulator.to(torch.int64) + bias.to(torch.int64)
    m, s = multiplier.to(torch.int64), shift.to(torch.int64)
    scaled = requantize64(total, m, s) if op.dtype == "int16" else requantize(wrap(total), m, s)
    y: torch.Tensor = op.clamped(wrap(scaled + op.output_zero_point), op.act_min, op.act_max)
    return y


def parameter_types(op: Any, inputs: Sequence[TensorType], channels: int) -> None:
    """ValueError unless bias, multiplier and shift have the right types, and int16 has no zero points."""
    x, weights, bias, multiplier, shift = inputs
    count, wide = channels if op.per_channel else 1, BIAS_DTYPES[op.dtype]
    expected = ((op.dtype, x), ("int8", weights), (wide, bias), ("int32", multiplier), ("int8", shift))
    if any(type_.dtype != dtype for dtype, type_ in expected):
        raise ValueError(f"x, weights, bias, multiplier and shift must be {', '.join(dtype for dtype, _ in expected)}")
    if op.dtype == "int16" and (op.input_zero_point or op.output_zero_point):
        raise ValueError("int16 activations have no zero points")
    if bias.shape != (channels,) or multiplier.shape != (count,) or shift.shape != (count,):
        raise ValueError(f"bias {bias}, multiplier {multiplier} and shift {shift} do not match {channels} channels")


def random_parameters(
    rng: np.random.Generator, weights: tuple[int, ...], channels: int, per_channel: int, dtype: str
) -> tuple[tuple[TensorType, ...], dict[int, NDArray[np.generic]]]:
    """Types and values of weights, bias, multiplier and shift at the inputs 1 to 4, for activations of ``dtype``."""
    fan_in = max(int(np.prod(weights)) // channels, 1)
    count = channels if per_channel else 1
    multiplier, shift = quantize_multipliers(rng.uniform(0.2, 3.0, count) / (60 * np.sqrt(fan_in)))
    reach = 2**13 if dtype == "int8" else 2**21
    values: list[NDArray[np.generic]] = [
        rng.integers(-127, 128, weights).astype(np.int8),
        rng.integers(-reach, reach, channels).astype(BIAS_DTYPES[dtype]),
        multiplier,
        shift,
    ]
    return tuple(TensorType(v.shape, str(v.dtype)) for v in values), dict(enumerate(values, start=1))


def random_outputs(rng: np.random.Generator, dtype: str) -> tuple[int, int, int, int]:
    """Input and output zero points and the clamp of a random operator of ``dtype``."""
    if dtype == "int16":
        return 0, 0, int(rng.integers(-32768, -25000)), int(rng.integers(15000, 32768))
    zero_in, zero_out = (int(v) for v in rng.integers(-128, 128, 2))
    return zero_in, zero_out, int(rng.integers(-128, -99)), int(rng.integers(60, 128))
