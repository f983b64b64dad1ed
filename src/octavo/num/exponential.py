"""exp(-d) of d >= 0 in integers, for float16 functions: no compiler can fuse or round it otherwise."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["KNOTS", "ONE", "decay", "decay_table"]

ONE = 1 << 30
"""What stands for 1."""

KNOTS = 64
"""Entries of ``decay_table``."""

_FRACTION_BITS = 24
_REST = _FRACTION_BITS - 6
_LOG2_E = round(ONE / math.log(2))
_LN_2 = round(ONE * math.log(2))
_FAR = 32.0


def decay_table() -> NDArray[np.int32]:
    """int32 [64]: 2^(-i / 64) in units of 2^-30."""
    table: NDArray[np.int32] = np.rint(np.exp2(-np.arange(KNOTS) / KNOTS) * ONE).astype(np.int32)
    return table


def decay(distance: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """int64: exp(-d) in units of 2^-30 of float32 d >= 0, 0 from 32 on.

    d is a multiple of 2^-24, as float16 numbers are. Beside a knot of the table the exponential is 1 - v + v^2 / 2, v
    below 0.011: errors are below 2^-21, relative ones, too, and those of 1 - exp(-d) relative to it below 2^-14.
    """
    near = distance < _FAR
    scaled = (torch.where(near, distance, torch.zeros_like(distance)) * 2.0**_FRACTION_BITS).long()
    exponent = (scaled * _LOG2_E) >> 30
    whole, fraction = exponent >> _FRACTION_BITS, exponent & ((1 << _FRACTION_BITS) - 1)
    v = ((fraction & ((1 << _REST) - 1)) * _LN_2) >> _FRACTION_BITS
    power = (table.long()[fraction >> _REST] * (ONE - v + ((v * v) >> 31))) >> 30
    return torch.where(near, power >> whole, torch.zeros_like(power))
