"""Weights, starting sums, multipliers and shifts of a linear layer as csrc/mve/block.h reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fits", "folded_bias", "layer_ends", "pack_stream", "per_channel"]

_LANES = 16
_GROUP = 4


def fits(shift: NDArray[np.int8]) -> bool:
    """Whether all shifts go right, or nowhere: the one condition, for sums wrap and multiply as the contract says."""
    return bool(shift.min() >= -31 and shift.max() <= 0)


def layer_ends(op: Any) -> tuple[int, int, int, int]:
    """Zero point, whether ties of negative numbers show, and limits of the output."""
    return op.output_zero_point, int(op.act_min < op.output_zero_point), op.act_min, op.act_max


def folded_bias(op: Any, weights: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.int32]:
    """bias - zero point * sum of weights [O, taps], modulo 2^32 as the kernels add."""
    total = bias.astype(np.int64) - op.input_zero_point * weights.astype(np.int64).sum(axis=1)
    return np.asarray((total & 0xFFFFFFFF).astype(np.uint32), np.uint32).view(np.int32)


def per_channel(values: NDArray[Any], channels: int) -> NDArray[Any]:
    """One value for each channel, where there may be one for all."""
    return np.ascontiguousarray(np.broadcast_to(values, (channels,)))


def pack_stream(
    op: Any,
    weights: NDArray[np.int8],
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
) -> NDArray[np.int32]:
    """The stream of words of weights [O, taps]: fours of channels, then those that are left."""
    count = len(weights)
    whole = count // _GROUP * _GROUP
    start, multipliers, shifts = (
        folded_bias(op, weights, bias),
        per_channel(multiplier, count),
        per_channel(shift, count),
    )
    parts = []
    for rows, group in ((slice(0, whole), _GROUP), (slice(whole, count), count - whole)):
        if len(weights[rows]):
            parts.append(_groups(weights[rows], group, start[rows], multipliers[rows], shifts[rows]))
    return np.concatenate(parts).view("<i4").astype(np.int32)


def _groups(
    weights: NDArray[np.int8],
    group: int,
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
) -> NDArray[np.int8]:
    """Bytes of channels in groups of so many."""
    taps = weights.shape[1]
    full = taps // _LANES * _LANES
    grouped = weights.reshape(-1, group, taps)
    count = len(grouped)
    vectors = grouped[:, :, :full].reshape(count, group, full // _LANES, _LANES).transpose(0, 2, 1, 3)
    start, *record = (_fours(values, group) for values in (bias, multiplier, shift))
    filling = np.zeros((count, -group * taps % 4), np.int8)
    parts = [start, vectors.reshape(count, -1), grouped[:, :, full:].reshape(count, -1), filling, *record]
    return np.concatenate(parts, axis=1).reshape(-1)


def _fours(values: NDArray[Any], group: int) -> NDArray[np.int8]:
    """[groups, bytes] of each group's values, filled up to four with zeros."""
    wide = np.pad(values.reshape(-1, group), ((0, 0), (0, _GROUP - group)))
    return np.ascontiguousarray(wide, values.dtype.newbyteorder("<")).view(np.int8)
