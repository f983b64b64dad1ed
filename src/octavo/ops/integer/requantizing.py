"""What the integer operators share that accumulate into 32 bits and requantize per channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import TensorType
from octavo.num.fixed_point import quantize_multipliers, requantize, wrap

__all__ = ["accumulate_dtype", "conv_requantization", "finish", "parameter_types", "random_parameters"]

_MAX_INPUT = 255


def conv_requantization(
    input_scale: float, weight_scales: NDArray[np.float32], output_scale: float
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """(multiplier int32 [n], shift int8 [n]) for M = input_scale * weight_scale / output_scale.

    Computed in float64 from float32 scales, as the interpreter does; see docs/numerics.md for the fully connected case.
    """
    product = np.float64(np.float32(input_scale)) * np.asarray(weight_scales, np.float32).astype(np.float64)
    return quantize_multipliers(product / np.float64(np.float32(output_scale)))


def accumulate_dtype(weights: torch.Tensor, axis: int) -> torch.dtype:
    """The float type in which a dot product with these weights is exact.

    Every partial sum is an integer of at most 255 * sum |w|; float32 holds all integers up to 2^24, float64 to 2^53.
    """
    others = [a for a in range(weights.ndim) if a != axis]
    bound = int(weights.long().abs().sum(dim=others).max()) * _MAX_INPUT if others else 0
    return torch.float32 if bound < 2**24 else torch.float64


def finish(
    accumulator: torch.Tensor,
    bias: torch.Tensor,
    multiplier: torch.Tensor,
    shift: torch.Tensor,
    output_zero_point: int,
    limits: tuple[int, int],
) -> torch.Tensor:
    """Bias, requantization, zero point and clamp; channels are the last axis of the accumulator.

    Sums that leave int32 wrap, as in the kernels: a bias near 2^31, or a multiplier in the thousands.
    """
    total = wrap(accumulator.to(torch.int64) + bias.to(torch.int64))
    scaled = requantize(total, multiplier.to(torch.int64), shift.to(torch.int64))
    return wrap(scaled + output_zero_point).clamp(*limits).to(torch.int8)


def parameter_types(inputs: Sequence[TensorType], channels: int, per_channel: int) -> None:
    """ValueError unless bias, multiplier and shift have the right types."""
    _, weights, bias, multiplier, shift = inputs
    count = channels if per_channel else 1
    expected = (("int8", weights), ("int32", bias), ("int32", multiplier), ("int8", shift))
    if any(type_.dtype != dtype for dtype, type_ in expected):
        raise ValueError("weights, bias, multiplier and shift must be int8, int32, int32 and int8")
    if bias.shape != (channels,) or multiplier.shape != (count,) or shift.shape != (count,):
        raise ValueError(f"bias {bias}, multiplier {multiplier} and shift {shift} do not match {channels} channels")


def random_parameters(
    rng: np.random.Generator, weights: tuple[int, ...], channels: int, per_channel: int
) -> tuple[tuple[TensorType, ...], dict[int, NDArray[np.generic]]]:
    """Types and values of weights, bias, multiplier and shift at the inputs 1 to 4."""
    fan_in = max(int(np.prod(weights)) // channels, 1)
    count = channels if per_channel else 1
    multiplier, shift = quantize_multipliers(rng.uniform(0.2, 3.0, count) / (60 * np.sqrt(fan_in)))
    values: list[NDArray[np.generic]] = [
        rng.integers(-127, 128, weights).astype(np.int8),
        rng.integers(-(2**13), 2**13, channels).astype(np.int32),
        multiplier,
        shift,
    ]
    return tuple(TensorType(v.shape, str(v.dtype)) for v in values), dict(enumerate(values, start=1))
