"""Depthwise convolution: each input channel has its own filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.half import HalfDepthwiseConv2D
from octavo.ops.integer import QDepthwiseConv2D, QDepthwiseConv2D16
from octavo.ops.linear import half_parameters, random_example, requantized_parameters, window_fields
from octavo.ops.unary import NONE, Clip
from octavo.ops.window import Pair, Quad, depthwise_filters, nchw, nhwc, pad_image, window_size

__all__ = ["DepthwiseConv2D"]


@dataclass(frozen=True)
class DepthwiseConv2D(Op):
    """x [N, H, W, C], weights [1, KH, KW, O], bias [O] -> [N, H', W', O]; O = C * multiplier.

    Output channel o reads input channel o // multiplier.
    """

    stride: Pair = (1, 1)
    padding: Quad = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    activation: Clip = NONE

    weight: ClassVar[int | None] = 1
    bias: ClassVar[int | None] = 2
    channel_axis: ClassVar[int] = 3

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, H', W', O]."""
        x, w, b = inputs
        if len(x.shape) != 4 or len(w.shape) != 4 or w.shape[0] != 1:
            raise ValueError(f"input {x} and weights {w} must have rank 4, the weights 1 on axis 0")
        if w.shape[3] % x.shape[3] or b.shape != (w.shape[3],):
            raise ValueError(f"weights {w} and bias {b} do not match input {x}")
        size = window_size(x.shape[1:3], w.shape[1:3], self.stride, self.padding, self.dilation)
        return (TensorType((x.shape[0], *size, w.shape[3]), x.dtype),)

    def eval_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's conv2d with as many groups as channels."""
        image = pad_image(nchw(x), self.padding)
        y = F.conv2d(image, depthwise_filters(w), b, self.stride, 0, self.dilation, x.shape[3])
        return self.activation.eval_float(nhwc(y))

    def lower(self, site: Site) -> Lowered:
        """A QDepthwiseConv2D, or its int16 or float16 form."""
        window = window_fields(site, self.stride, self.padding)
        window |= {"dilation_h": self.dilation[0], "dilation_w": self.dilation[1]}
        window["depth_multiplier"] = window["out_c"] // window["in_c"]
        if site.dtype() == "float16":
            limits, halves = half_parameters(site, self.activation)
            return Lowered(HalfDepthwiseConv2D(**window, **limits), (0,), halves)
        fields, consts = requantized_parameters(site, self.activation)
        return Lowered(site.form(QDepthwiseConv2D, QDepthwiseConv2D16)(**window, **fields), (0,), consts)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return outputs[0].size * inputs[1].shape[1] * inputs[1].shape[2]

    @classmethod
    def examples(cls) -> list[Example]:
        """Odd shapes, stride, multiplier."""
        cases = [
            (cls(padding=(1, 1, 1, 1)), (7, 6, 3), (1, 3, 3, 3)),
            (cls(stride=(2, 2), padding=(0, 1, 0, 1), activation=Clip(0.0, 6.0)), (8, 9, 4), (1, 3, 3, 8)),
            (cls(dilation=(2, 1)), (9, 7, 4), (1, 3, 2, 4)),
        ]
        return [random_example(op, image, weight) for op, image, weight in cases]
