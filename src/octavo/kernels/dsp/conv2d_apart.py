"""Convolutions whose taps lie apart, for the DSP extension: csrc/dsp/conv2d_apart_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import ring_rows
from octavo.kernels.dsp.words import EXACT, exact_segments, fits_a_lane, pack_words, records
from octavo.kernels.finish import Finish, finish_constants
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import Placeable
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D

__all__ = ["Conv2DApartDsp", "pack_apart", "pack_multiplied"]

_MAX_ROWS = 16
_MAX_STRIDE = 510  # int16 elements: the reach of an LDRD
_MAX_RING = 2**14
"""int16 elements: dilation by many rows would keep most of the image a second time, twice as large."""


@dataclass(frozen=True)
class Conv2DApartDsp(Placeable):
    """The parameters of octavo_conv2d_apart_dsp."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int
    groups: int
    channels: int
    ring_h: int
    ring_row: int
    ring_size: int
    taps: int
    block: int
    exact_segments: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_apart_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the ring."""
        return {0: ring_rows(self, self.ring_h)}

    def scratch(self) -> int:
        """Bytes of the ring."""
        return 2 * self.ring_size


def pack_apart(op: QConv2D, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution with groups or dilation whose sums are proved exact and whose ring is not too large."""
    weights, *rest = consts
    return _packed(op, weights, rest, op.groups)


def pack_multiplied(op: QDepthwiseConv2D, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of several outputs a channel: one with as many groups as channels."""
    weights, *rest = consts
    return _packed(op, weights.transpose(3, 1, 2, 0), rest, op.in_c)


def _packed(op: QConv2D | QDepthwiseConv2D, weights: Array, rest: list[Array], groups: int) -> Packed | None:
    """For weights [O, KH, KW, C / groups]."""
    finish = finish_constants(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest)
    if finish is None or op.kernel_h > _MAX_ROWS:
        return None
    inside = op.in_c // groups
    channels, taps = inside + inside % 2, -(-inside // 4) * 4
    w = finish.weights.reshape(groups, op.out_c // groups, op.kernel_h * op.kernel_w, inside)
    w = np.pad(w, ((0, 0), (0, w.shape[1] % 2), (0, 0), (0, taps - inside)))
    pairs, exact = w.reshape(-1, 2, *w.shape[2:]), exact_segments(w.reshape(-1, *w.shape[2:]), EXACT)
    if exact is None or not fits_a_lane(pairs):
        return None
    call = _call(op, groups, channels, taps, exact, finish)
    if call.ring_size > _MAX_RING:
        return None
    words = pack_words(pairs, fours=inside % 4 == 0).reshape(len(pairs), -1)
    stream = np.concatenate([words, records(_in_pairs(finish, groups))], axis=1).reshape(-1)
    return Packed(call, {"stream": stream})


def _in_pairs(finish: Finish, groups: int) -> Finish:
    """The same with a silent channel at the end of each group that has an odd number of them."""

    def padded(values: NDArray[np.signedinteger], fill: int) -> NDArray[np.signedinteger]:
        rows = values.reshape(groups, -1)
        return np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)), constant_values=fill).reshape(-1)

    bias, multiplier, shift = padded(finish.bias, 0), padded(finish.multiplier, 0), padded(finish.shift, 1)
    return replace(finish, bias=bias, multiplier=multiplier, shift=shift)


def _call(
    op: QConv2D | QDepthwiseConv2D, groups: int, channels: int, taps: int, exact: int, finish: Finish
) -> Conv2DApartDsp:
    reach_h, reach_w = ((op.kernel_h - 1) * op.dilation_h + 1, (op.kernel_w - 1) * op.dilation_w + 1)
    columns = max(op.pad_left + op.in_w, (op.out_w - 1) * op.stride_w + reach_w)
    row, stride = columns * groups * channels, op.stride_w * groups * channels
    return Conv2DApartDsp(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w,
        op.dilation_h, op.dilation_w, op.pad_top, op.pad_left, groups, channels, reach_h, row,
        reach_h * row + taps - channels, taps, min(3 if stride <= _MAX_STRIDE else 1, op.out_w), exact,
        op.input_zero_point, op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max, op.out_c,
    )  # fmt: skip
