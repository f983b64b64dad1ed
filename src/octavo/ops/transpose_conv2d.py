"""Transposed convolution (learned upsampling)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.integer import QTransposeConv2D, QTransposeConv2D16
from octavo.ops.linear import random_example, requantized_parameters, window_fields
from octavo.ops.unary import NONE, Clip
from octavo.ops.window import Pair, Quad, nchw, nhwc, transposed_size

__all__ = ["TransposeConv2D"]


@dataclass(frozen=True)
class TransposeConv2D(Op):
    """x [N, H, W, I], weights [O, KH, KW, I], bias [O] -> [N, H', W', O].

    H' = (H - 1) * stride + KH - top - bottom; bottom and right may be negative (an output padding).
    """

    stride: Pair = (1, 1)
    padding: Quad = (0, 0, 0, 0)
    activation: Clip = NONE

    weight: ClassVar[int | None] = 1
    bias: ClassVar[int | None] = 2
    channel_axis: ClassVar[int] = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, H', W', O]."""
        x, w, b = inputs
        if len(x.shape) != 4 or len(w.shape) != 4 or w.shape[3] != x.shape[3] or b.shape != (w.shape[0],):
            raise ValueError(f"weights {w} and bias {b} do not match input {x}")
        if self.padding[0] < 0 or self.padding[2] < 0:
            raise ValueError(f"padding {self.padding} is negative at the top or left")
        size = transposed_size(x.shape[1:3], w.shape[1:3], self.stride, self.padding)
        return (TensorType((x.shape[0], *size, w.shape[0]), x.dtype),)

    def eval_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's conv_transpose2d over everything, then cropped or extended."""
        full = F.conv_transpose2d(nchw(x), w.permute(3, 0, 1, 2), None, self.stride)
        top, bottom, left, right = self.padding
        y = F.pad(full, (-left, -right, -top, -bottom)) + b.reshape(1, -1, 1, 1)
        return self.activation.eval_float(nhwc(y))

    def lower(self, site: Site) -> Lowered:
        """A QTransposeConv2D."""
        form = site.form(QTransposeConv2D, QTransposeConv2D16)
        fields, consts = requantized_parameters(site, self.activation)
        window = window_fields(site, self.stride, self.padding)
        return Lowered(form(**window, **fields), (0,), consts)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Input pixels times all weights (borders that fall outside count, too)."""
        return inputs[0].shape[1] * inputs[0].shape[2] * inputs[1].size

    @classmethod
    def examples(cls) -> list[Example]:
        """Strides with and without output padding."""
        cases = [
            (cls(stride=(2, 2)), (4, 5, 3), (5, 2, 2, 3)),
            (cls(stride=(2, 2), padding=(1, 0, 1, 0)), (4, 3, 4), (6, 3, 3, 4)),
            (cls(padding=(1, 1, 1, 1), activation=Clip(0.0)), (5, 5, 2), (3, 3, 3, 2)),
        ]
        return [random_example(op, image, weight) for op, image, weight in cases]
