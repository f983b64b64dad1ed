"""Weights as csrc/dsp/dot.h reads them: two taps of two channels in a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.finish import Finish

__all__ = [
    "EXACT",
    "RECORD",
    "channels_in_pairs",
    "exact_segments",
    "fits_a_lane",
    "in_lanes",
    "lane_words",
    "pack_words",
    "records",
]

EXACT = 2**23
"""Sums of products must stay below this, so that a pair's two sums can be told apart."""

RECORD = 5
"""Words that follow a pair's weights."""

_ORDERS = {True: (0, 2, 1, 3), False: (0, 1, 2, 3)}


def channels_in_pairs(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """[O, ...] as [pairs, 2, ...]; an odd number of channels gets one of zeros."""
    odd = len(weights) % 2
    padded = np.concatenate([weights, np.zeros((odd, *weights.shape[1:]), np.int64)])
    return padded.reshape(-1, 2, *weights.shape[1:])


def fits_a_lane(pairs: NDArray[np.int64]) -> bool:
    """Whether 256 a + b is an int16 for all pairs [P, 2, ...]; only a = -128 with a negative b is not."""
    lanes = 256 * pairs[:, 0] + pairs[:, 1]
    return bool(lanes.min() >= -(2**15) and lanes.max() < 2**15)


def exact_segments(w: NDArray[np.int64], limit: int) -> int | None:
    """Of weights [O, segments, taps]: 0 when sums of whole windows are below the limit, 1 when those of segments."""
    rows = 128 * np.abs(w).sum(axis=2)
    if rows.sum(axis=1).max() < limit:
        return 0
    return 1 if rows.max() < limit else None


def pack_words(pairs: NDArray[np.int64], fours: bool) -> NDArray[np.int32]:
    """Words of pairs [P, 2, ..., taps], taps a multiple of 4; ``fours`` for taps in the order of octavo_widen_fours."""
    return lane_words(256 * pairs[:, 0] + pairs[:, 1], fours)


def in_lanes(weights: NDArray[np.int64], fours: bool) -> NDArray[np.int64]:
    """[..., taps] as rows of four taps in the order of the lanes of two words."""
    return weights.reshape(-1, 4)[:, _ORDERS[fours]]


def lane_words(weights: NDArray[np.int64], fours: bool) -> NDArray[np.int32]:
    """Words of lanes [..., taps], two each; the rest as in pack_words."""
    lanes = in_lanes(weights, fours).reshape(-1, 2)
    words = (lanes[:, 0] & 0xFFFF) | (lanes[:, 1] & 0xFFFF) << 16
    return words.astype(np.uint32).view(np.int32)


def records(finish: Finish) -> NDArray[np.int32]:
    """[pairs, 5]: what follows the weights of each pair in a stream; a channel that fills the last pair is silent."""
    odd = len(finish.bias) % 2
    bias, multiplier = (np.pad(v, (0, odd)).reshape(-1, 2) for v in (finish.bias, finish.multiplier))
    shift = np.pad(finish.shift, (0, odd), constant_values=1).reshape(-1, 2)
    shifts = np.ascontiguousarray(np.concatenate([shift, shift - 1], axis=1), np.int8).view("<i4")
    return np.concatenate([bias, multiplier, shifts], axis=1).astype(np.int32)
