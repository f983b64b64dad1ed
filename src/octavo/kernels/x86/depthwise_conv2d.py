"""Depthwise convolutions for x86-64: csrc/x86/depthwise_conv2d_s8_x86.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.kernels.x86.lanes import ALIGNMENT, LANES, in_lanes
from octavo.ops.base import IntegerOp
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D

__all__ = ["DepthwiseConv2DX86", "pack_depthwise_conv2d"]


@dataclass(frozen=True)
class DepthwiseConv2DX86(IntegerOp):
    """The parameters of octavo_depthwise_conv2d_s8_x86."""

    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
    kernel_h: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int
    image_h: int
    image_w: int
    fours: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "depthwise_conv2d_s8_x86"

    def scratch(self) -> int:
        """Bytes of 16 channels between their padding; a window's last four taps may reach three pixels beyond."""
        return LANES * (self.image_h * self.image_w + 3) + ALIGNMENT


def pack_depthwise_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel, without dilation, whose sums are proved exact."""
    if type(op) is not QDepthwiseConv2D or op.depth_multiplier != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.reshape(-1, op.out_c).T.astype(np.int64), *rest)
    if finish is None:
        return None
    call = DepthwiseConv2DX86(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.stride_h, op.stride_w, op.pad_top, op.pad_left,
        (op.out_h - 1) * op.stride_h + op.kernel_h,
        max(op.pad_left + op.in_w, (op.out_w - 1) * op.stride_w + op.kernel_w), -(-op.kernel_w // 4),
        op.input_zero_point, op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, in_lanes(finish, op.kernel_h))
