"""Weights and records as csrc/x86/conv2d_s8_x86.h and depthwise_conv2d_s8_x86.h read them: 16 channels in lanes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.finish import Finish

__all__ = ["ALIGNMENT", "LANES", "in_lanes"]

LANES = 16
ALIGNMENT = 64
_LIFT = 128
"""Inputs are multiplied as x + 128."""


def in_lanes(finish: Finish, rows: int) -> dict[str, Array]:
    """Weights int8 [blocks, rows, fours, 16, 4] of taps in ``rows`` equal rows, and records int32 [blocks, 3, 16].

    The kernels sum (x + 128) w, starting from bias - (zero_point + 128) sum w. finish_constants proves that
    |bias - zero_point sum w| + 128 sum |w| < 2^30, so start and result fit in 32 bits; what is between them may wrap.
    """
    taps = finish.weights.shape[1] // rows
    empty = -len(finish.bias) % LANES
    w = finish.weights.reshape(-1, rows, taps)
    w = np.pad(w, ((0, empty), (0, 0), (0, -taps % 4))).reshape(-1, LANES, rows, -(-taps // 4), 4)
    bias = finish.bias.astype(np.int64) // 2 - _LIFT * finish.weights.sum(axis=1)
    ends: list[NDArray[np.int32]] = [
        np.pad(values.astype(np.int32), (0, empty), constant_values=fill)
        for values, fill in ((bias, 0), (finish.multiplier, 0), (finish.shift, 1))
    ]
    records = np.stack(ends, axis=1).reshape(-1, LANES, len(ends)).transpose(0, 2, 1)
    return {
        "weights": np.ascontiguousarray(w.transpose(0, 2, 3, 1, 4), np.int8).reshape(-1),
        "records": np.ascontiguousarray(records).reshape(-1),
    }
