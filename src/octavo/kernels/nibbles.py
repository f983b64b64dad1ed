"""Weights of four bits: what the kernels keep two a byte."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fits_a_nibble"]


def fits_a_nibble(weights: NDArray[np.signedinteger]) -> bool:
    """Whether all weights are in [-8, 7]."""
    return bool(weights.min() >= -8 and weights.max() <= 7)
