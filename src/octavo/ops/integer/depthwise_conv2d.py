"""Integer depthwise convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.requantizing import accumulate_dtype, finish, parameter_types, random_parameters

__all__ = ["QDepthwiseConv2D"]


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
        """int8 [N, out_h, out_w, out_c]."""
        x, w = inputs[0], inputs[1]
        if x.shape[1:] != (self.in_h, self.in_w, self.in_c) or x.dtype != "int8":
            raise ValueError(f"input {x} is not int8 [{self.in_h}, {self.in_w}, {self.in_c}]")
        if w.shape != (1, self.kernel_h, self.kernel_w, self.out_c) or self.out_c != self.in_c * self.depth_multiplier:
            raise ValueError(f"weights {w} do not match")
        parameter_types(inputs, self.out_c, self.per_channel)
        return (TensorType((x.shape[0], self.out_h, self.out_w, self.out_c), "int8"),)

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
    ) -> torch.Tensor:
        """Exact, as in QConv2D."""
        dtype = accumulate_dtype(w, 3)
        image = (x.to(dtype) - self.input_zero_point).permute(0, 3, 1, 2)
        bottom = (self.out_h - 1) * self.stride_h + self.dilation_h * (self.kernel_h - 1) + 1 - self.in_h - self.pad_top
        right = (self.out_w - 1) * self.stride_w + self.dilation_w * (self.kernel_w - 1) + 1 - self.in_w - self.pad_left
        image = F.pad(image, (self.pad_left, right, self.pad_top, bottom))
        strides, dilation = (self.stride_h, self.stride_w), (self.dilation_h, self.dilation_w)
        y = F.conv2d(image, w.to(dtype).permute(3, 0, 1, 2), None, strides, 0, dilation, self.in_c)
        limits = self.act_min, self.act_max
        return finish(y.permute(0, 2, 3, 1), b, multiplier, shift, self.output_zero_point, limits)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return self.out_h * self.out_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Odd shapes, strides, dilations, one-sided padding, multipliers."""
        cases = [(1, 1), (3, 3), (1, 5), (5, 4)]
        return [_example(rng, kernel, per_channel) for kernel in cases for per_channel in (0, 1)]


def _example(rng: np.random.Generator, kernel: tuple[int, int], per_channel: int) -> Example:
    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    in_c, multiplier = draw(1, 40), draw(1, 3)
    out_c = in_c * multiplier
    stride, dilation = (draw(1, 3), draw(1, 2)), (draw(1, 2), draw(1, 2))
    pads = [draw(0, k - 1) for k in (kernel[0], kernel[0], kernel[1], kernel[1])]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    size = [max(draw(1, 8), r - pads[2 * i] - pads[2 * i + 1]) for i, r in enumerate(reach)]
    out = [(size[i] + pads[2 * i] + pads[2 * i + 1] - reach[i]) // stride[i] + 1 for i in (0, 1)]
    types, consts = random_parameters(rng, (1, *kernel, out_c), out_c, per_channel)
    fields = [
        *size, in_c, *out, out_c, *kernel, *stride, *dilation, pads[0], pads[2], multiplier, per_channel,
        draw(-128, 127), draw(-128, 127), draw(-128, -100), draw(60, 127),
    ]  # fmt: skip
    return Example(QDepthwiseConv2D(*fields), (TensorType((1, *size, in_c), "int8"), *types), consts)
