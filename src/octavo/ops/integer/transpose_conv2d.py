"""Integer transposed convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.access import bytes_of, in_chunks, scattered, windows_of
from octavo.ops.integer.requantizing import finish, parameter_types, random_outputs, random_parameters
from octavo.ops.integer.sliding import check_image
from octavo.ops.window import nchw, nhwc

__all__ = ["QTransposeConv2D", "QTransposeConv2D16"]


@dataclass(frozen=True)
class QTransposeConv2D(IntegerOp):
    """x [N, H, W, I], weights int8 [O, KH, KW, I], bias int32 [O], multiplier int32, shift int8."""

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
    per_channel: int
    input_zero_point: int
    output_zero_point: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "transpose_conv2d_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, out_c] of the operator's dtype."""
        parameter_types(self, inputs, self.out_c)
        return check_image(self, inputs, (self.out_c, self.kernel_h, self.kernel_w, self.in_c))

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads the pixels that reach it, then is written."""
        rows = scattered(self.in_h, self.out_h, self.kernel_h, self.stride_h, self.pad_top)
        columns = scattered(self.in_w, self.out_w, self.kernel_w, self.stride_w, self.pad_left)
        pixels = windows_of(rows, columns, self.in_w).in_groups(self.in_c, 1)
        size = bytes_of(self.dtype)
        return {0: in_chunks(pixels, self.out_c, size, size)}

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
    ) -> torch.Tensor:
        """Exact: float64 holds every partial sum."""
        image = nchw(x.double() - self.input_zero_point)
        full = F.conv_transpose2d(image, w.double().permute(3, 0, 1, 2), None, (self.stride_h, self.stride_w))
        bottom = self.pad_top + self.out_h - full.shape[2]
        right = self.pad_left + self.out_w - full.shape[3]
        y = F.pad(full, (-self.pad_left, right, -self.pad_top, bottom))
        return finish(self, nhwc(y), b, multiplier, shift)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Input pixels times all weights (borders that fall outside count, too)."""
        return self.in_h * self.in_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Strides above and below the kernel, cropped and extended."""
        cases = [(1, 1), (2, 2), (3, 3), (3, 4)]
        return [_example(cls, rng, kernel, per_channel) for kernel in cases for per_channel in (0, 1)]


@dataclass(frozen=True)
class QTransposeConv2D16(QTransposeConv2D):
    """QTransposeConv2D of int16 activations, as QConv2D16."""

    kernel: ClassVar[str] = "transpose_conv2d_s16"
    dtype: ClassVar[str] = "int16"


def _example(
    cls: type[QTransposeConv2D], rng: np.random.Generator, kernel: tuple[int, int], per_channel: int
) -> Example:
    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    in_c, out_c, size, stride = draw(1, 9), draw(1, 9), (draw(1, 6), draw(1, 6)), (draw(1, 3), draw(1, 3))
    top, left = draw(0, kernel[0] - 1), draw(0, kernel[1] - 1)
    full = [(size[i] - 1) * stride[i] + kernel[i] for i in (0, 1)]
    out = [max(full[0] - top - draw(-1, kernel[0] - 1), 1), max(full[1] - left - draw(-1, kernel[1] - 1), 1)]
    types, consts = random_parameters(rng, (out_c, *kernel, in_c), out_c, per_channel, cls.dtype)
    fields = [
        *size, in_c, *out, out_c, *kernel, *stride, top, left, per_channel, *random_outputs(rng, cls.dtype),
    ]  # fmt: skip
    return Example(cls(*fields), (TensorType((1, *size, in_c), cls.dtype), *types), consts)
