"""Convolutions for Helium: csrc/mve/conv2d_s8_mve.h and pointwise_s8_mve.h, or _w4_ for 4-bit weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import pixel_blocks, pixels_at
from octavo.kernels.mve.stream import fits, layer_ends, pack_nibbles, pack_stream, packs_nibbles
from octavo.kernels.mve.strip import strip_pixels
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.conv2d import QConv2D

__all__ = ["Conv2DMve", "Conv2DW4Mve", "PointwiseMve", "PointwiseW4Mve", "pack_conv2d"]

_MOVES = 4


@dataclass(frozen=True)
class Conv2DMve(Placeable):
    """The parameters of octavo_conv2d_s8_mve."""

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
    pad_top: int
    pad_left: int
    strip_w: int
    moves: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the strip."""
        first, end = strip_pixels(self)
        written = self.out_w * np.arange(self.out_h + 1)
        writes = pixels_at(written[:-1], written[1:], self.out_c, self.out_stride)
        return {0: distance((self.in_c * first, self.in_c * end), writes)}

    def scratch(self) -> int:
        """Bytes of the strip at its furthest."""
        advance = self.stride_h if self.stride_h < self.kernel_h else 0
        return (self.strip_w * self.kernel_h + (self.moves - 1) * advance) * self.in_c


@dataclass(frozen=True)
class PointwiseMve(Placeable):
    """The parameters of octavo_pointwise_s8_mve."""

    pixels: int
    in_c: int
    out_c: int
    backward: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "pointwise_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two pixels are read before they are written."""
        return {0: pixel_blocks(self.pixels, self.in_c, self.out_c, 2, self.backward, self.out_stride)}

    def scratch(self) -> int:
        """Bytes of two pixels."""
        return min(2, self.pixels) * self.in_c


@dataclass(frozen=True)
class Conv2DW4Mve(Conv2DMve):
    """Conv2DMve with 4-bit weights."""

    kernel: ClassVar[str] = "conv2d_w4_mve"


@dataclass(frozen=True)
class PointwiseW4Mve(PointwiseMve):
    """PointwiseMve with 4-bit weights."""

    kernel: ClassVar[str] = "pointwise_w4_mve"


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation."""
    if type(op) is not QConv2D or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, bias, multiplier, shift = consts
    if not fits(shift):
        return None
    taps = weights.transpose(0, 2, 1, 3).reshape(op.out_c, -1)
    narrow = packs_nibbles(taps)
    packed = {"stream": (pack_nibbles if narrow else pack_stream)(op, taps, bias, multiplier, shift)}
    flat = (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1)
    if flat and (op.out_h, op.out_w) == (op.in_h, op.in_w):
        backward, kind = int(op.out_c > op.in_c), PointwiseW4Mve if narrow else PointwiseMve
        return Packed(kind(op.in_h * op.in_w, op.in_c, op.out_c, backward, *layer_ends(op), op.out_c), packed)
    strip_w = (op.out_w - 1) * op.stride_w + op.kernel_w
    call = (Conv2DW4Mve if narrow else Conv2DMve)(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w,
        op.pad_top, op.pad_left, strip_w, min(_MOVES, op.out_h), op.input_zero_point, *layer_ends(op), op.out_c,
    )  # fmt: skip
    return Packed(call, packed)
