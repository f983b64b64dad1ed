"""Two-dimensional convolution, grouped or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.half import HalfConv2D
from octavo.ops.integer import QConv2D, QConv2D16
from octavo.ops.linear import half_parameters, random_example, requantized_parameters, window_fields
from octavo.ops.unary import NONE, Clip
from octavo.ops.window import Pair, Quad, nchw, nhwc, pad_image, window_size

__all__ = ["Conv2D"]


@dataclass(frozen=True)
class Conv2D(Op):
    """x [N, H, W, C], weights [O, KH, KW, C / groups], bias [O] -> [N, H', W', O].

    ``padding`` is (top, bottom, left, right) zeros. A 1-D convolution has H = KH = 1.
    """

    stride: Pair = (1, 1)
    padding: Quad = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    activation: Clip = NONE

    weight: ClassVar[int | None] = 1
    bias: ClassVar[int | None] = 2
    channel_axis: ClassVar[int] = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, H', W', O]."""
        x, w, b = inputs
        if len(x.shape) != 4 or len(w.shape) != 4:
            raise ValueError(f"input {x} and weights {w} must have rank 4")
        if self.groups < 1 or w.shape[3] * self.groups != x.shape[3] or w.shape[0] % self.groups:
            raise ValueError(f"weights {w} do not match input {x} in {self.groups} groups")
        if b.shape != (w.shape[0],):
            raise ValueError(f"bias {b} does not match weights {w}")
        size = window_size(x.shape[1:3], w.shape[1:3], self.stride, self.padding, self.dilation)
        return (TensorType((x.shape[0], *size, w.shape[0]), x.dtype),)

    def eval_float(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's conv2d."""
        image = pad_image(nchw(x), self.padding)
        y = F.conv2d(image, nchw(w), b, self.stride, 0, self.dilation, self.groups)
        return self.activation.eval_float(nhwc(y))

    def lower(self, site: Site) -> Lowered:
        """A QConv2D, or its int16 or float16 form."""
        window = window_fields(site, self.stride, self.padding)
        window |= {"dilation_h": self.dilation[0], "dilation_w": self.dilation[1], "groups": self.groups}
        if site.dtype() == "float16":
            limits, halves = half_parameters(site, self.activation)
            halves["weights"] = np.ascontiguousarray(halves["weights"].transpose(1, 2, 3, 0))
            return Lowered(HalfConv2D(**window, **limits), (0,), halves)
        fields, consts = requantized_parameters(site, self.activation)
        return Lowered(site.form(QConv2D, QConv2D16)(**window, **fields), (0,), consts)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return outputs[0].size * int(np.prod(inputs[1].shape[1:]))

    @classmethod
    def examples(cls) -> list[Example]:
        """Odd shapes, strides, dilation, groups, one-sided padding."""
        cases = [
            (cls(padding=(1, 1, 1, 1)), (7, 6, 3), (5, 3, 3, 3)),
            (cls(stride=(2, 2), padding=(0, 1, 0, 1), activation=Clip(0.0, 6.0)), (8, 9, 4), (8, 3, 3, 4)),
            (cls(dilation=(2, 1), groups=2), (9, 7, 4), (6, 3, 2, 2)),
            (cls(), (1, 1, 9), (11, 1, 1, 9)),
        ]
        return [random_example(op, image, weight) for op, image, weight in cases]
