"""Weights, starting sums, multipliers and shifts of a linear layer as csrc/mve/block.h and block_s16.h read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.finish16 import Finish16
from octavo.kernels.nibbles import fits_a_nibble

__all__ = [
    "fits",
    "folded_bias",
    "layer_ends",
    "pack_nibbles",
    "pack_stream",
    "pack_stream16",
    "pack_taps16",
    "packs_nibbles",
    "per_channel",
]

_LANES = 16
_LANES16 = 8
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
    record = per_channel(multiplier, len(weights)), per_channel(shift, len(weights))
    return _stream(weights, folded_bias(op, weights, bias), record, _LANES)


def packs_nibbles(weights: NDArray[np.int8]) -> bool:
    """Whether weights [O, taps] have four bits, take fewer bytes so, and 16 times their sums of products fits int32."""
    reach = 16 * 128 * int(np.abs(weights.astype(np.int64)).sum(axis=1).max())
    return weights.shape[1] > _LANES and fits_a_nibble(weights) and reach < 2**31


def pack_nibbles(
    op: Any,
    weights: NDArray[np.int8],
    bias: NDArray[np.int32],
    multiplier: NDArray[np.int32],
    shift: NDArray[np.int8],
) -> NDArray[np.int32]:
    """The stream of 4-bit weights, as csrc/mve/dot_w4.h reads it."""
    record = per_channel(multiplier, len(weights)), per_channel(shift, len(weights))
    taps = weights.shape[1]
    padded = np.pad(weights, ((0, 0), (0, -taps % (2 * _LANES)))).reshape(len(weights), -1, 2, _LANES)
    pairs = (padded[:, :, 0] & 15 | padded[:, :, 1] << 4).reshape(len(weights), -1)
    held = taps // (2 * _LANES) * _LANES + min(taps % (2 * _LANES), _LANES)
    return _stream(pairs[:, :held], folded_bias(op, weights, bias), record, _LANES)


def pack_stream16(finish: Finish16) -> NDArray[np.int32]:
    """The same of a 16x8 layer, for csrc/mve/block_s16.h."""
    return _stream(finish.weights.astype(np.int8), finish.bias, (finish.scale,), _LANES16)


def pack_taps16(finish: Finish16) -> NDArray[np.int32]:
    """The stream of csrc/mve/depthwise_conv2d_s16_mve.h: fours of channels, the last filled up with zeros."""
    missing = -len(finish.weights) % _GROUP
    weights = np.pad(finish.weights.astype(np.int8), ((0, missing), (0, 0)))
    taps = weights.reshape(-1, _GROUP, weights.shape[1]).transpose(0, 2, 1).reshape(-1, _GROUP * weights.shape[1])
    start, scale = (np.pad(values, (0, missing)) for values in (finish.bias, finish.scale))
    parts = [_fours(start, _GROUP), taps, _fours(scale, _GROUP)]
    return np.concatenate(parts, axis=1).reshape(-1).view("<i4").astype(np.int32)


def _stream(
    weights: NDArray[np.int8], start: NDArray[np.int32], record: Sequence[NDArray[Any]], lanes: int
) -> NDArray[np.int32]:
    count = len(weights)
    whole = count // _GROUP * _GROUP
    parts = []
    for rows, group in ((slice(0, whole), _GROUP), (slice(whole, count), count - whole)):
        if len(weights[rows]):
            parts.append(_groups(weights[rows], group, start[rows], [values[rows] for values in record], lanes))
    return np.concatenate(parts).view("<i4").astype(np.int32)


def _groups(
    weights: NDArray[np.int8], group: int, start: NDArray[np.int32], record: Sequence[NDArray[Any]], lanes: int
) -> NDArray[np.int8]:
    """Bytes of channels in groups of so many."""
    taps = weights.shape[1]
    full = taps // lanes * lanes
    grouped = weights.reshape(-1, group, taps)
    count = len(grouped)
    vectors = grouped[:, :, :full].reshape(count, group, full // lanes, lanes).transpose(0, 2, 1, 3)
    filling = np.zeros((count, -group * taps % 4), np.int8)
    rest = grouped[:, :, full:].reshape(count, -1)
    ends = [_fours(values, group) for values in record]
    parts = [_fours(start, group), vectors.reshape(count, -1), rest, filling, *ends]
    return np.concatenate(parts, axis=1).reshape(-1)


def _fours(values: NDArray[Any], group: int) -> NDArray[np.int8]:
    """[groups, bytes] of each group's values, filled up to four with zeros."""
    wide = np.pad(values.reshape(-1, group), ((0, 0), (0, _GROUP - group)))
    return np.ascontiguousarray(wide, values.dtype.newbyteorder("<")).view(np.int8)
