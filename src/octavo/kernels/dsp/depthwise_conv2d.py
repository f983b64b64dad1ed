"""Depthwise convolutions for the DSP extension: csrc/dsp/depthwise_conv2d_s8_dsp.h, or _log2_ for weights that
are powers of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import channel_bands
from octavo.kernels.dsp.conv2d_apart import pack_multiplied
from octavo.kernels.finish import finish_constants
from octavo.kernels.log2 import are_powers_of_two, log2_bytes
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D

__all__ = ["DepthwiseConv2DDsp", "DepthwiseConv2DLog2Dsp", "pack_depthwise_conv2d"]

_MAX_KERNEL = 16
_BAND_BYTES = 1024


@dataclass(frozen=True)
class DepthwiseConv2DDsp(Placeable):
    """The parameters of octavo_depthwise_conv2d_s8_dsp."""

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
    row: int
    band_h: int
    band_out: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "depthwise_conv2d_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Channel after channel, a band is read before its rows are written."""
        return {0: channel_bands(self)}

    def scratch(self) -> int:
        """Bytes of the band."""
        return 2 * self.band_h * self.row


@dataclass(frozen=True)
class DepthwiseConv2DLog2Dsp(DepthwiseConv2DDsp):
    """DepthwiseConv2DDsp with weights that are powers of two."""

    kernel: ClassVar[str] = "depthwise_conv2d_log2_dsp"


def pack_depthwise_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution whose sums are proved exact: one output a channel without dilation, or several."""
    if type(op) is not QDepthwiseConv2D:
        return None
    if op.depth_multiplier != 1:
        return pack_multiplied(op, consts)
    if (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    if max(op.kernel_h, op.kernel_w) > _MAX_KERNEL:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.reshape(-1, op.out_c).T.astype(np.int64), *rest)
    if finish is None:
        return None
    reach = 2 * (op.kernel_w // 2 + 1)
    row = max(op.pad_left + op.in_w, (op.out_w - 1) * op.stride_w + reach)
    row += row % 2
    band_out = max(1, min(op.out_h, (_BAND_BYTES // (2 * row) - op.kernel_h) // op.stride_h + 1))
    band_h = (band_out - 1) * op.stride_h + max(op.kernel_h, op.stride_h)
    log2 = finish.weights.shape[1] > 1 and are_powers_of_two(finish.weights)
    packed: dict[str, Array] = {
        "weights": log2_bytes(finish.weights) if log2 else np.ascontiguousarray(finish.weights, np.int8),
        "scale": np.stack([finish.bias, finish.multiplier], axis=1).reshape(-1),
        "shift": finish.shift,
    }
    call = (DepthwiseConv2DLog2Dsp if log2 else DepthwiseConv2DDsp)(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, row, band_h, band_out, op.input_zero_point, op.output_zero_point, int(finish.negative_ties),
        op.act_min, op.act_max, op.out_c,
    )  # fmt: skip
    return Packed(call, packed)
