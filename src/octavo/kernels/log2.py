"""Weights that are powers of two, as codes of four bits (docs/numerics.md): what the kernels keep two a byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["are_powers_of_two", "log2_bytes", "log2_codes"]

_SIZES = np.array([0, 1, 2, 4, 8, 16, 32, 64], np.int64)
_SIGN = 8


def are_powers_of_two(weights: NDArray[np.signedinteger]) -> bool:
    """Whether all weights are 0, or +-2^e of an exponent of 0 to 6."""
    return bool(np.isin(np.abs(weights.astype(np.int64)), _SIZES).all())


def log2_codes(weights: NDArray[np.signedinteger]) -> NDArray[np.int64]:
    """The code of each weight: its sign in bit 3; below, 0 for a weight of 0, else the exponent plus 1."""
    sizes = np.searchsorted(_SIZES, np.abs(weights.astype(np.int64)))
    return np.asarray(sizes + _SIGN * (weights < 0), np.int64)


def log2_bytes(weights: NDArray[np.signedinteger]) -> NDArray[np.int8]:
    """Codes of [O, taps], two a byte, the first one's in the upper half; rows end with a byte."""
    codes = log2_codes(np.pad(weights, ((0, 0), (0, weights.shape[1] % 2)))).reshape(len(weights), -1, 2)
    return (16 * codes[..., 0] + codes[..., 1]).astype(np.uint8).view(np.int8)
