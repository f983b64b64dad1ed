"""Integer convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, in_chunks, sliding
from octavo.ops.integer.requantizing import accumulate_dtype, finish, parameter_types, random_outputs, random_parameters
from octavo.ops.integer.rows import sliding_rows
from octavo.ops.integer.sliding import check_image, padded_image, random_window
from octavo.ops.window import nchw, nhwc

__all__ = ["QConv2D", "QConv2D16"]


@dataclass(frozen=True)
class QConv2D(IntegerOp):
    """x [N, H, W, C], weights int8 [O, KH, KW, C / groups], bias int32 [O], multiplier int32, shift int8."""

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
    groups: int
    per_channel: int
    input_zero_point: int
    output_zero_point: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "conv2d_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, out_c] of the operator's dtype."""
        parameter_types(self, inputs, self.out_c)
        return check_image(self, inputs, (self.out_c, self.kernel_h, self.kernel_w, self.in_c // self.groups))

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads its window, then is written."""
        groups = sliding(self).in_groups(self.in_c, self.groups)
        size = bytes_of(self.dtype)
        return {0: in_chunks(groups, self.out_c // self.groups, size, size)}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Rows beyond the image hold the zero point."""
        return sliding_rows(self, rows, self.input_zero_point)

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
    ) -> torch.Tensor:
        """Exact: the accumulator is a float convolution of integers that stays exact (see accumulate_dtype)."""
        dtype = accumulate_dtype(self, w, 0)
        image = padded_image(self, x, dtype)
        strides, dilation = (self.stride_h, self.stride_w), (self.dilation_h, self.dilation_w)
        y = F.conv2d(image, nchw(w.to(dtype)), None, strides, 0, dilation, self.groups)
        return finish(self, nhwc(y), b, multiplier, shift)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return self.out_h * self.out_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Odd shapes, strides, dilations, one-sided padding, groups."""
        cases = [(1, 1), (3, 3), (1, 5), (3, 2), (7, 7)]
        return [_example(cls, rng, kernel, per_channel) for kernel in cases for per_channel in (0, 1)]


@dataclass(frozen=True)
class QConv2D16(QConv2D):
    """QConv2D of int16 activations: bias int64, a 64-bit accumulator, zero points 0."""

    kernel: ClassVar[str] = "conv2d_s16"
    dtype: ClassVar[str] = "int16"


def _example(cls: type[QConv2D], rng: np.random.Generator, kernel: tuple[int, int], per_channel: int) -> Example:
    groups, *channels = (int(v) for v in rng.integers((1, 1, 1), (3, 10, 10)))
    in_c, out_c = groups * channels[0], groups * channels[1]
    window = random_window(rng, kernel)
    zero_in, zero_out, *limits = random_outputs(rng, cls.dtype)
    types, consts = random_parameters(rng, (out_c, *kernel, in_c // groups), out_c, per_channel, cls.dtype)
    fields = [
        *window.size, in_c, *window.out, out_c, *kernel, *window.stride, *window.dilation, *window.before, groups,
        per_channel, zero_in, zero_out, *limits,
    ]  # fmt: skip
    return Example(cls(*fields), (TensorType((1, *window.size, in_c), cls.dtype), *types), consts)
