"""Integer depthwise convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, sliding
from octavo.ops.integer.requantizing import accumulate_dtype, finish, parameter_types, random_outputs, random_parameters
from octavo.ops.integer.rows import sliding_rows
from octavo.ops.integer.sliding import check_image, padded_image, random_window
from octavo.ops.window import depthwise_filters, nhwc

__all__ = ["BLOCK", "QDepthwiseConv2D", "QDepthwiseConv2D16"]

BLOCK = 32
"""Channels that the kernel sums at once."""


@dataclass(frozen=True)
class QDepthwiseConv2D(IntegerOp):
    """x [N, H, W, C], weights int8 [1, KH, KW, O], bias int32 [O], multiplier int32, shift int8; O = C * multiplier."""

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
    depth_multiplier: int
    per_channel: int
    input_zero_point: int
    output_zero_point: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "depthwise_conv2d_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, out_c] of the operator's dtype."""
        if self.out_c != self.in_c * self.depth_multiplier:
            raise ValueError(f"{self.out_c} output channels are not {self.in_c} times {self.depth_multiplier}")
        parameter_types(self, inputs, self.out_c)
        return check_image(self, inputs, (1, self.kernel_h, self.kernel_w, self.out_c))

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Blocks of channels of a pixel are read, then written."""
        blocks = sliding(self).in_blocks(self.in_c, self.out_c, BLOCK, bytes_of(self.dtype))
        return {0: distance(*blocks)}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Rows beyond the image hold the zero point."""
        return sliding_rows(self, rows, self.input_zero_point)

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
    ) -> torch.Tensor:
        """Exact, as in QConv2D."""
        dtype = accumulate_dtype(self, w, 3)
        image = padded_image(self, x, dtype)
        strides, dilation = (self.stride_h, self.stride_w), (self.dilation_h, self.dilation_w)
        y = F.conv2d(image, depthwise_filters(w.to(dtype)), None, strides, 0, dilation, self.in_c)
        return finish(self, nhwc(y), b, multiplier, shift)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return self.out_h * self.out_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Odd shapes, strides, dilations, one-sided padding, multipliers."""
        cases = [(1, 1), (3, 3), (1, 5), (5, 4)]
        return [_example(cls, rng, kernel, per_channel) for kernel in cases for per_channel in (0, 1)]


@dataclass(frozen=True)
class QDepthwiseConv2D16(QDepthwiseConv2D):
    """QDepthwiseConv2D of int16 activations, as QConv2D16."""

    kernel: ClassVar[str] = "depthwise_conv2d_s16"
    dtype: ClassVar[str] = "int16"


def _example(
    cls: type[QDepthwiseConv2D], rng: np.random.Generator, kernel: tuple[int, int], per_channel: int
) -> Example:
    in_c, multiplier = (int(v) for v in rng.integers((1, 1), (41, 4)))
    out_c = in_c * multiplier
    window = random_window(rng, kernel)
    zero_in, zero_out, *limits = random_outputs(rng, cls.dtype)
    types, consts = random_parameters(rng, (1, *kernel, out_c), out_c, per_channel, cls.dtype)
    fields = [
        *window.size, in_c, *window.out, out_c, *kernel, *window.stride, *window.dilation, *window.before, multiplier,
        per_channel, zero_in, zero_out, *limits,
    ]  # fmt: skip
    return Example(cls(*fields), (TensorType((1, *window.size, in_c), cls.dtype), *types), consts)
