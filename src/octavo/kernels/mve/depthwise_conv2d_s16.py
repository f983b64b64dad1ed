"""16x8 depthwise convolutions for Helium: csrc/mve/depthwise_conv2d_s16_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import group_by_group, in_elements
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.mve.stream import pack_taps16
from octavo.kernels.mve.strip import strip_pixels
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D16

__all__ = ["DepthwiseConv2D16Mve", "pack_depthwise_conv2d16"]

_MOVES = 16
_GROUP = 4


@dataclass(frozen=True)
class DepthwiseConv2D16Mve(IntegerOp):
    """The parameters of octavo_depthwise_conv2d_s16_mve."""

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
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "depthwise_conv2d_s16_mve"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four channels after four, rows of the output are written when all rows that they need are in the strip."""
        written = self.out_w * np.arange(self.out_h + 1)
        writes = written[:-1], written[1:]
        elements = group_by_group(strip_pixels(self), writes, self.channels, _GROUP, self.channels)
        return {0: in_elements(elements, 2)}

    def scratch(self) -> int:
        """Bytes of the strip of four channels at its furthest."""
        advance = self.stride_h if self.stride_h < self.kernel_h else 0
        return 8 * (self.strip_w * self.kernel_h + (self.moves - 1) * advance)


def pack_depthwise_conv2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel, without dilation, whose sums are proved to have 32 bits."""
    if type(op) is not QDepthwiseConv2D16 or op.depth_multiplier != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, *rest = consts
    taps = weights[0].transpose(2, 1, 0).reshape(op.out_c, -1).astype(np.int64)
    finish = finish_constants16(op, taps, *rest)
    if finish is None or finish.wide:
        return None
    strip_w = (op.out_w - 1) * op.stride_w + op.kernel_w
    call = DepthwiseConv2D16Mve(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, strip_w, min(_MOVES, op.out_h), int(finish.shifted), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {"stream": pack_taps16(finish)})
