"""Convolutions and fully connected layers for x86-64: csrc/x86/conv2d_s8_x86.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.kernels.x86.lanes import ALIGNMENT, in_lanes
from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.fully_connected import QFullyConnected

__all__ = ["Conv2DX86", "pack_conv2d", "pack_fully_connected"]


@dataclass(frozen=True)
class Conv2DX86(IntegerOp):
    """The parameters of octavo_conv2d_s8_x86."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
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

    kernel: ClassVar[str] = "conv2d_s8_x86"

    def scratch(self) -> int:
        """Bytes of the image between its padding; a window's last four taps may reach beyond it, where weights are
        zero."""
        return self.image_h * self.image_w * self.in_c + 3 + ALIGNMENT


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation whose sums are proved exact."""
    if type(op) is not QConv2D or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest)
    if finish is None:
        return None
    size = op.in_h, op.in_w, op.out_h, op.out_w
    if (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1) and size[:2] == size[2:]:
        size = 1, op.in_h * op.in_w, 1, op.out_h * op.out_w
    in_h, in_w, out_h, out_w = size
    call = Conv2DX86(
        in_h, in_w, op.in_c, out_h, out_w, op.out_c, op.kernel_h, op.stride_h, op.stride_w, op.pad_top, op.pad_left,
        (out_h - 1) * op.stride_h + op.kernel_h, max(op.pad_left + in_w, (out_w - 1) * op.stride_w + op.kernel_w),
        -(-op.kernel_w * op.in_c // 4), op.input_zero_point, op.output_zero_point, int(finish.negative_ties),
        op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, in_lanes(finish, op.kernel_h))


def pack_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A fully connected layer whose sums are proved exact: a convolution of 1 x 1 over its rows."""
    if type(op) is not QFullyConnected:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64), *rest)
    if finish is None:
        return None
    call = Conv2DX86(
        1, op.rows, op.in_features, 1, op.rows, op.out_features, 1, 1, 1, 0, 0, 1, op.rows, -(-op.in_features // 4),
        op.input_zero_point, op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, in_lanes(finish, 1))
