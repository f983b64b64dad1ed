"""16x8 depthwise convolutions for the DSP extension: csrc/dsp/depthwise_conv2d_s16_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import group_by_group, in_elements, new_rows
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D16

__all__ = ["DepthwiseConv2D16Dsp", "pack_depthwise_conv2d16"]

_MAX_KERNEL = 16
_BAND_BYTES = 1024


@dataclass(frozen=True)
class DepthwiseConv2D16Dsp(IntegerOp):
    """The parameters of octavo_depthwise_conv2d_s16_dsp."""

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
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "depthwise_conv2d_s16_dsp"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two channels after two, a band is read before its rows are written."""
        fresh, end = new_rows(self.in_h, self.out_h, self.kernel_h, self.stride_h, self.pad_top, self.band_out)
        first = np.arange(0, self.out_h, self.band_out)
        writes = self.out_w * first, self.out_w * np.minimum(first + self.band_out, self.out_h)
        return {
            0: in_elements(
                group_by_group((self.in_w * fresh, self.in_w * end), writes, self.channels, 2, self.channels), 2
            )
        }

    def scratch(self) -> int:
        """Bytes of both bands."""
        return 4 * self.band_h * self.row


def pack_depthwise_conv2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel, without dilation, whose sums are proved to have 32 bits."""
    if type(op) is not QDepthwiseConv2D16 or op.depth_multiplier != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    if max(op.kernel_h, op.kernel_w) > _MAX_KERNEL:
        return None
    weights, *rest = consts
    finish = finish_constants16(op, weights.reshape(-1, op.out_c).T.astype(np.int64), *rest)
    if finish is None or finish.wide:
        return None
    reach = 2 * (op.kernel_w // 2 + 1)
    row = max(op.pad_left + op.in_w, (op.out_w - 1) * op.stride_w + reach)
    row += row % 2
    band_out = max(1, min(op.out_h, (_BAND_BYTES // (2 * row) - op.kernel_h) // op.stride_h + 1))
    band_h = (band_out - 1) * op.stride_h + max(op.kernel_h, op.stride_h)
    packed: dict[str, Array] = {
        "weights": np.ascontiguousarray(finish.weights, np.int8),
        "finish": np.stack([finish.bias, finish.scale], axis=1).reshape(-1),
    }
    call = DepthwiseConv2D16Dsp(
        op.in_h, op.in_w, op.out_c, op.out_h, op.out_w, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, row, band_h, band_out, int(finish.shifted), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, packed)
