"""Weights that are powers of two as csrc/dsp/log2.h reads them: four taps of two channels in a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.dsp.words import RECORD, in_lanes
from octavo.kernels.log2 import log2_codes

__all__ = ["log2_words", "pair_bytes"]


def log2_words(pairs: NDArray[np.int64], fours: bool) -> NDArray[np.int32]:
    """Words of pairs [P, 2, ..., taps], taps a multiple of 4; ``fours`` as in pack_words."""
    codes = log2_codes(pairs)
    lanes = in_lanes(16 * codes[:, 0] + codes[:, 1], fours)
    return lanes.astype(np.uint8).reshape(-1).view("<i4").astype(np.int32)


def pair_bytes(taps: int) -> int:
    """Working memory of a pair of channels that is written out: its lanes and its record."""
    return 2 * taps + 4 * RECORD
