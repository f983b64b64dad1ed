"""Depthwise convolutions for Helium: csrc/mve/depthwise_conv2d_s8_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import group_by_group
from octavo.kernels.mve.stream import fits, layer_ends, pack_stream
from octavo.kernels.mve.strip import strip_pixels
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D

__all__ = ["DepthwiseConv2DMve", "pack_depthwise_conv2d"]

_MOVES = 16
_GROUP = 4
_MAX_STEP = 4095  # what one addition can add to an address


@dataclass(frozen=True)
class DepthwiseConv2DMve(Placeable):
    """The parameters of octavo_depthwise_conv2d_s8_mve."""

    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
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

    kernel: ClassVar[str] = "depthwise_conv2d_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four channels after four, rows of the output are written when all rows that they need are in the strip."""
        written = self.out_w * np.arange(self.out_h + 1)
        writes = written[:-1], written[1:]
        return {0: group_by_group(strip_pixels(self), writes, self.channels, _GROUP, self.out_stride)}

    def placed(self, stride: int) -> IntegerOp | None:
        """As far as one addition reaches."""
        return super().placed(stride) if stride <= _MAX_STEP else None

    def scratch(self) -> int:
        """Bytes of the strip of four channels at its furthest; the last window is read in vectors of 16 pixels."""
        advance = self.stride_h if self.stride_h < self.kernel_h else 0
        beyond = -self.kernel_h * self.kernel_w % 16
        return 4 * (self.strip_w * self.kernel_h + (self.moves - 1) * advance + beyond)


def pack_depthwise_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel, without dilation."""
    if type(op) is not QDepthwiseConv2D or op.depth_multiplier != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, bias, multiplier, shift = consts
    if not fits(shift) or max(op.out_c, 4 * op.stride_w * op.kernel_h) > _MAX_STEP:
        return None
    taps = weights[0].transpose(2, 1, 0).reshape(op.out_c, -1)
    strip_w = (op.out_w - 1) * op.stride_w + op.kernel_w
    call = DepthwiseConv2DMve(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, strip_w, min(_MOVES, op.out_h), op.input_zero_point, *layer_ends(op), op.out_c,
    )  # fmt: skip
    return Packed(call, {"stream": pack_stream(op, taps, bias, multiplier, shift)})
