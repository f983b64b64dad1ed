"""Weights, bias, multiplier and shift as requantization in few instructions needs them (csrc/dsp/finish.h,
csrc/scalar/finish.h), with the proof that its arithmetic is exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.num.fixed_point import requantize, wrap

__all__ = ["Finish", "finish_constants"]

_ONE = 2**30
_CONSTANT_SHIFT = 20


@dataclass(frozen=True)
class Finish:
    """weights int64 [O, taps]; bias int32 [O] holds ``scaled`` times (bias - zero_point * sum of weights); multiplier
    int32 [O]; shift int8 [O] goes to the right, by at least 1; ``negative_ties`` says whether ties of negative numbers
    show, ``shift_only`` whether all multipliers are 2^30, as those of power-of-two scales."""

    weights: NDArray[np.int64]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    negative_ties: bool
    shift_only: bool


def finish_constants(
    op: Any,
    weights: NDArray[np.int64],
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
    *,
    scaled: int = 2,
) -> Finish | None:
    """For a linear operator's weights [O, taps] and int8 inputs; None unless every sum is exact.

    Accumulators are multiplied by ``scaled``, 2 or 4, and by the multiplier; the high word of the product is kept.

    1. A channel that gives one value for every input (its weights vanish beside its bias, as in dead channels of
       trained networks) gets no weights and a bias that gives this value.
    2. The scaled accumulator is below 2^31: by 128 sum |w| + |bias - zero_point * sum w|.
    3. Shifts go right by at least one, and the product plus (2 zero_point + 1) << (n - 1), or twice that with 4, stays
       in 32 bits.
    """
    folded = bias.astype(np.int64) - op.input_zero_point * weights.sum(axis=1)
    reach = 128 * np.abs(weights).sum(axis=1)
    q, right = (np.broadcast_to(v.astype(np.int64), folded.shape) for v in (multiplier, -shift.astype(np.int64)))
    low, high = (_output(op, folded + side * reach, q, right) for side in (-1, 1))
    wraps = np.maximum(np.abs(folded), np.abs(bias.astype(np.int64))) + reach >= 2**31
    constant = (low == high) & ~wraps & (right >= 0)
    weights = np.where(constant[:, None], 0, weights)
    folded = np.where(constant, (low - op.output_zero_point) << (_CONSTANT_SHIFT + 1), folded)
    q, right = np.where(constant, _ONE, q), np.where(constant, _CONSTANT_SHIFT, right)
    bound = 128 * np.abs(weights).sum(axis=1) + np.abs(folded)
    if np.any(scaled * bound >= 2**31) or np.any(right < 1):
        return None
    product = (abs(2 * op.output_zero_point + 1) << (right - 1)) + (bound * q >> 31) + 2
    if np.any(scaled // 2 * product >= 2**31):
        return None
    ends = (scaled * folded).astype(np.int32), q.astype(np.int32), right.astype(np.int8)
    return Finish(weights, *ends, op.act_min < op.output_zero_point, bool(np.all(q == _ONE)))


def _output(op: Any, acc: NDArray[np.int64], q: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """What the contract's requantization makes of accumulators; it rises with them."""
    tensors = (torch.from_numpy(np.array(v)) for v in (acc, q, -right))
    scaled = requantize(*tensors)
    return np.asarray(wrap(scaled + op.output_zero_point).clamp(op.act_min, op.act_max))
