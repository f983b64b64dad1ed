"""Weights, bias and scale of 16x8 layers as csrc/dsp/finish_s16.h has them, with the proof that they are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Finish16", "finish_constants16"]

_END = 2**31
_LEAST, _MOST, _MOST_SHIFTED = 16, 32, 46
_CONSTANT = 17  # its multiplier is 2^14


@dataclass(frozen=True)
class Finish16:
    """weights int64 [O, taps]; bias int32 [O]; scale int32 [O], of the two kinds that ``shifted`` tells apart.

    ``wide`` says that the sums of some channel need more than 32 bits; saturated, they give the same output.
    """

    weights: NDArray[np.int64]
    bias: NDArray[np.int32]
    scale: NDArray[np.int32]
    shifted: bool
    wide: bool


def finish_constants16(
    op: Any,
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
) -> Finish16 | None:
    """For a linear operator's weights [O, taps] and int16 inputs; None unless its outputs are exact.

    1. A channel that gives one value for every input gets no weights and a bias that gives this value.
    2. Shifts of octavo_finish64 are 16 to 32, or 17 to 46 where some channel has one beyond 32; biases have 32 bits.
    3. Where sums, at most |bias| + 32768 sum |w|, leave 32 bits, the largest and the smallest int32 give the same
       outputs as everything beyond them, because these are clamped.
    """
    m = np.minimum((multiplier.astype(np.int64) + 2**15) >> 16, 2**15 - 1)
    m, right = (np.broadcast_to(v, bias.shape) for v in (m, 15 - shift.astype(np.int64)))
    reach = 2**15 * np.abs(weights).sum(axis=1)
    ends = [_scaled(bias + side * reach, m, right) for side in (-1, 1)]
    if any(np.any(np.abs(end) >= _END) for end in ends):
        return None  # octavo_finish64 would wrap.
    low, high = (np.clip(end, op.act_min, op.act_max) for end in ends)
    constant = low == high
    weights = np.where(constant[:, None], 0, weights)
    reach = np.where(constant, 0, reach)
    bias = np.where(constant, low << (_CONSTANT - 14), bias)
    m, right = np.where(constant, 2**14, m), np.where(constant, _CONSTANT, right)
    shifted = bool(np.any(right > _MOST))
    if np.any((right < _LEAST + shifted) | (right > _MOST_SHIFTED) | (np.abs(bias) >= _END)):
        return None
    above, below = bias + reach >= _END, bias - reach < -_END
    most, least = (_scaled(np.full_like(bias, side), m, right) for side in (_END - 1, -_END))
    if np.any(above & (most < op.act_max)) or np.any(below & (least > op.act_min)):
        return None
    scale = m << 16 | (right - 16) if shifted else m << (_MOST - right)
    return Finish16(weights, bias.astype(np.int32), scale.astype(np.int32), shifted, bool(np.any(above | below)))


def _scaled(acc: NDArray[np.int64], m: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """What octavo_finish64 makes of accumulators before it clamps."""
    return (acc * m + (np.ones_like(right) << (right - 1))) >> right
