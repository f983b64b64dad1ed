"""Convolutions and fully connected layers of 4-bit weights without multiplications: csrc/shifts/conv2d_w4_shifts.h."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import pixels_at
from octavo.kernels.log2 import are_powers_of_two, log2_codes
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.access import sliding
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["Conv2DW4Shifts", "pack_conv2d", "pack_fully_connected"]

_PIXELS = 2
_EIGHT = 8  # codes in a word
_SIGN = 8
_LIMIT = 2**31


@dataclass(frozen=True)
class Conv2DW4Shifts(Placeable):
    """The parameters of octavo_conv2d_w4_shifts."""

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
    taps: int
    powers_of_two: int
    input_zero_point: int
    output_zero_point: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_w4_shifts"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """The windows of two pixels are read, one after the other, before either is written."""
        windows = sliding(self)
        pixel = np.arange(self.out_h * self.out_w, dtype=np.int64)
        reads = self.in_c * windows.first, self.in_c * windows.end
        begin = pixel - pixel % _PIXELS
        written = (pixel % _PIXELS == _PIXELS - 1) | (pixel == len(pixel) - 1)
        end = np.where(written, pixel + 1, begin)
        return {0: distance(reads, pixels_at(begin, end, self.out_c, self.out_stride))}

    def scratch(self) -> int:
        """Bytes of the windows of two pixels."""
        return 4 * self.taps


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups of 4-bit weights, or powers of two."""
    if type(op) is not QConv2D or op.groups != 1:
        return None
    size = (
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w,
        op.dilation_h, op.dilation_w, op.pad_top, op.pad_left,
    )  # fmt: skip
    return _packed(op, size, consts)


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer of 4-bit weights, or powers of two: a convolution of 1 x 1 over its rows."""
    if type(op) is not QFullyConnected:
        return None
    return _packed(op, (1, op.rows, op.in_features, 1, op.rows, op.out_features, 1, 1, 1, 1, 1, 1, 0, 0), consts)


def _packed(op: Any, size: Sequence[int], consts: tuple[Array, ...]) -> Packed | None:
    """The call for sizes from in_h to pad_left.

    None also where an accumulator that begins with the folded zero point may leave 32 bits.
    """
    weights, bias, multiplier, shift = consts
    w = weights.astype(np.int64).reshape(len(bias), -1)
    powers_of_two = are_powers_of_two(w)
    if not powers_of_two and np.abs(w).max() >= _SIGN:
        return None
    folded = bias.astype(np.int64) - op.input_zero_point * w.sum(axis=1)
    if np.any(np.abs(folded) + 128 * np.abs(w).sum(axis=1) >= _LIMIT):
        return None
    codes = log2_codes(w) if powers_of_two else np.abs(w) + _SIGN * (w < 0)
    words = _words(codes)
    zero_points = op.input_zero_point, op.output_zero_point
    sizes = *size, _EIGHT * words.shape[1], int(powers_of_two), *zero_points, op.act_min, op.act_max, len(bias)
    packed: dict[str, Array] = {
        "codes": words,
        "bias": folded.astype(np.int32),
        "multiplier": np.broadcast_to(multiplier, folded.shape).astype(np.int32),
        "shift": np.broadcast_to(shift, folded.shape).astype(np.int8),
    }
    return Packed(Conv2DW4Shifts(*sizes), packed)


def _words(codes: NDArray[np.int64]) -> NDArray[np.int32]:
    """[O, words] of codes [O, taps], eight a word, the first in the lowest bits."""
    taps = codes.shape[1]
    eights = np.pad(codes, ((0, 0), (0, -taps % _EIGHT))).reshape(len(codes), -1, _EIGHT)
    words = (eights << 4 * np.arange(_EIGHT)).sum(axis=2)
    return np.asarray(words.astype(np.uint32).view(np.int32), np.int32)
