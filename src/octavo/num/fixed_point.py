"""Fixed-point arithmetic of the integer contract, vectorised and exact, on int64 tensors that hold int32 values.

The rules are those of gemmlowp and of TensorFlow Lite's reference kernels (Jacob et al. 2018, appendix B), as
docs/numerics.md states them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = [
    "INT32_MAX",
    "INT32_MIN",
    "quantize_multiplier",
    "quantize_multipliers",
    "rdbp",
    "requantize",
    "requantize64",
    "round_half_away",
    "saturating_shift_left",
    "srdhm",
    "wrap",
]

INT32_MAX = 2**31 - 1
INT32_MIN = -(2**31)

Ints = torch.Tensor | int


def round_half_away(x: float) -> int:
    """Nearest integer, ties away from zero (C's ``round``)."""
    return int(math.floor(abs(x) + 0.5)) * (1 if x >= 0 else -1)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real = multiplier * 2^(shift - 31), multiplier in [2^30, 2^31) or 0.

    A multiplier that rounds up to 2^31 is halved; one below 2^-31 becomes (0, 0).
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if abs(multiplier) == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > 30:
        return INT32_MAX, 30
    return multiplier, shift


def quantize_multipliers(real: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """``quantize_multiplier`` of each element of a vector: (int32, int8)."""
    pairs = [quantize_multiplier(float(value)) for value in np.atleast_1d(real)]
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def wrap(x: torch.Tensor) -> torch.Tensor:
    """x modulo 2^32 as an int32, the way the kernels add and shift where a sum leaves 32 bits."""
    return x.to(torch.int32).to(torch.int64)


def srdhm(a: torch.Tensor, b: Ints) -> torch.Tensor:
    """Saturating rounding doubling high multiply: round_half_up(a * b / 2^31).

    The reference adds 2^30 or 1 - 2^30 by the sign of the product and truncates; both equal floor((p + 2^30) / 2^31).
    Only a = b = -2^31 saturates.
    """
    product: torch.Tensor = a * b
    return product.add_(1 << 30).bitwise_right_shift_(31).clamp_(max=INT32_MAX)


def rdbp(x: torch.Tensor, exponent: Ints) -> torch.Tensor:
    """Rounding divide by 2^exponent, ties away from zero; exponent in 0..31.

    The reference compares the remainder with half; floor((x + half - [x < 0]) / 2^n) is the same for n >= 1.
    """
    n = torch.as_tensor(exponent, dtype=torch.int64)
    half = (torch.ones_like(n) << n) >> 1
    below_zero = (x >> 63) & -(n > 0).long()
    return (below_zero.add_(x).add_(half)) >> n


def requantize(x: torch.Tensor, multiplier: Ints, shift: Ints) -> torch.Tensor:
    """x * multiplier * 2^(shift - 31) with two roundings (MultiplyByQuantizedMultiplier)."""
    s = torch.as_tensor(shift, dtype=torch.int64)
    left, right = s.clamp(min=0), (-s).clamp(min=0)
    return rdbp(srdhm(wrap(x << left) if bool(left.any()) else x, multiplier), right)


def requantize64(x: torch.Tensor, multiplier: Ints, shift: Ints) -> torch.Tensor:
    """x * multiplier * 2^(shift - 31) of a 48-bit x, rounded once, half up (TFLite's 64-bit overload).

    The multiplier is first rounded to 16 bits (below 2^15), so that the product stays in 64; shift is at most 7.
    """
    reduced = ((torch.as_tensor(multiplier, dtype=torch.int64) + (1 << 15)) >> 16).clamp(max=32767)
    right = 15 - torch.as_tensor(shift, dtype=torch.int64)
    return wrap((x * reduced + (torch.ones_like(right) << (right - 1))) >> right)


def saturating_shift_left(x: torch.Tensor, bits: int) -> torch.Tensor:
    """x * 2^bits, saturated to int32."""
    return torch.clamp(x << bits, INT32_MIN, INT32_MAX)
