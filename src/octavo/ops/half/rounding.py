"""What the float16 operators share: sums in float32, clamped, and rounded once to binary16 (docs/numerics.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import TensorType
from octavo.num.qparams import integer_limits

__all__ = [
    "DTYPE",
    "EVERYTHING",
    "half_bits",
    "half_limit",
    "half_types",
    "random_halves",
    "random_limits",
    "random_parameters",
    "rounded",
]

DTYPE = "float16"
_LARGEST = float(integer_limits(DTYPE)[1])
EVERYTHING = (-_LARGEST, _LARGEST)
"""The limits of an operator without an activation."""


def half_limit(limit: float) -> float:
    """A limit of an activation as a binary16 number, inside the finite ones; never -0.

    Rounding is monotone: to clamp with rounded limits and to round is to clamp with the limits themselves and to round.
    """
    return float(np.float16(np.clip(limit, *EVERYTHING))) + 0.0


def half_bits(value: float) -> int:
    """The bits of a binary16 number as an int16, as C holds them."""
    return int(np.float16(np.clip(value, *EVERYTHING)).view(np.int16))


def rounded(total: torch.Tensor, low: float = EVERYTHING[0], high: float = EVERYTHING[1]) -> torch.Tensor:
    """float32 sums between the limits, as float16 to nearest, ties to even. A zero at ``low`` takes the sign of it."""
    bounded = torch.where(total > low, total, torch.full_like(total, low))
    return torch.where(bounded > high, torch.full_like(total, high), bounded).to(torch.float16)


def half_types(inputs: Sequence[TensorType], channels: int) -> None:
    """ValueError unless x, weights and bias are float16 and there is a bias for each channel."""
    if any(type_.dtype != DTYPE for type_ in inputs) or inputs[2].shape != (channels,):
        raise ValueError(f"x, weights and bias must be float16, of {channels} channels")


def random_halves(rng: np.random.Generator, shape: Sequence[int]) -> NDArray[np.float16]:
    """Numbers around 1; in every other tensor some four of any magnitude: subnormal, huge, and both zeros."""
    common = rng.normal(size=shape)
    bits = rng.integers(0, 2**16, shape).astype(np.uint16)
    anything = np.where(bits & 0x7C00 == 0x7C00, bits & 0xBFFF, bits).astype(np.uint16).view(np.float16)
    few = rng.integers(0, 2) * 4 / max(common.size, 1)
    return np.where(rng.random(shape) < few, anything, common).astype(np.float16)


def random_parameters(
    rng: np.random.Generator, weights: tuple[int, ...], channels: int
) -> tuple[tuple[TensorType, ...], dict[int, NDArray[Any]]]:
    """Types and values of weights and bias at the inputs 1 and 2."""
    values = {1: random_halves(rng, weights), 2: random_halves(rng, (channels,)) + np.float16(0)}
    return tuple(TensorType(array.shape, DTYPE) for array in values.values()), dict(values)


def random_limits(rng: np.random.Generator) -> tuple[float, float]:
    """None, those of ReLU, of ReLU6, or any around zero."""
    low, high = sorted(half_limit(v) for v in rng.normal(size=2))
    choices = (EVERYTHING, (0.0, EVERYTHING[1]), (0.0, 6.0), (min(low, 0.0), max(high, 0.0)))
    return choices[int(rng.integers(len(choices)))]
