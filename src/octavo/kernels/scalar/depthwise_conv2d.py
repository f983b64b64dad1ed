"""Depthwise convolutions for cores without SIMD: csrc/scalar/depthwise_conv2d_s8_scalar.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import channel_bands
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.kernels.scalar.chunks import PIXELS, in_chunks, starts
from octavo.memory import Distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D

__all__ = ["DepthwiseConv2DScalar", "pack_depthwise_conv2d"]

_MAX_ROWS = 16
_BAND_BYTES = 1024


@dataclass(frozen=True)
class DepthwiseConv2DScalar(Placeable):
    """The parameters of octavo_depthwise_conv2d_s8_scalar."""

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
    columns: int
    band_h: int
    band_out: int
    band_size: int
    taps: int
    chunk: int
    shift_only: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "depthwise_conv2d_s8_scalar"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Channel after channel, a band is read before its rows are written."""
        return {0: channel_bands(self)}

    def scratch(self) -> int:
        """Bytes of the band."""
        return 4 * self.band_size


def pack_depthwise_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel, without dilation, whose sums are proved exact."""
    if type(op) is not QDepthwiseConv2D or op.depth_multiplier != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.reshape(-1, op.out_c).T.astype(np.int64), *rest, scaled=4)
    chunks = None if finish is None else in_chunks(finish.weights.reshape(op.out_c, op.kernel_h, -1), finish)
    if finish is None or chunks is None or op.kernel_h > _MAX_ROWS:
        return None
    columns = int(op.out_w - starts(op.out_w)[-1] - 1) * op.stride_w + op.kernel_w
    row = PIXELS // 2 * columns
    band_out = max(1, min(op.out_h, (_BAND_BYTES // (4 * row) - op.kernel_h) // op.stride_h + 1))
    band_h = (band_out - 1) * op.stride_h + max(op.kernel_h, op.stride_h)
    # A window's last chunk may reach beyond its row, where the weights are zero.
    size = band_h * row + PIXELS // 2 * (chunks.taps - op.kernel_w)
    call = DepthwiseConv2DScalar(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.stride_h, op.stride_w, op.pad_top, op.pad_left,
        columns, band_h, band_out, size, chunks.taps, chunks.chunk, int(finish.shift_only), op.input_zero_point,
        op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max, op.out_c,
    )  # fmt: skip
    return Packed(call, {"weights": chunks.weights, "records": chunks.records})
