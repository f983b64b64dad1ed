"""Average and max pooling over windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.base import Constraint, Example, Lowered, Op, Share, Site
from octavo.ops.half import HalfAveragePool2D, HalfMaxPool2D
from octavo.ops.integer import QAveragePool2D, QAveragePool2D16, QMaxPool2D, QMaxPool2D16
from octavo.ops.window import Pair, Quad, nchw, nhwc, pad_image, window_size

__all__ = ["AveragePool2D", "MaxPool2D"]


def _infer(inputs: Sequence[TensorType], kernel: Pair, stride: Pair, padding: Quad) -> tuple[TensorType, ...]:
    (x,) = inputs
    if len(x.shape) != 4:
        raise ValueError(f"input {x} must have rank 4")
    if padding[0] >= kernel[0] or padding[1] >= kernel[0] or padding[2] >= kernel[1] or padding[3] >= kernel[1]:
        raise ValueError(f"padding {padding} is not smaller than the window {kernel}")
    size = window_size(x.shape[1:3], kernel, stride, padding)
    return (TensorType((x.shape[0], *size, x.shape[3]), x.dtype),)


def _geometry(site: Site, kernel: Pair, stride: Pair, padding: Quad) -> dict[str, int]:
    (_, in_h, in_w, channels), (_, out_h, out_w, _) = site.type(0).shape, site.out_type().shape
    return {
        "in_h": in_h,
        "in_w": in_w,
        "channels": channels,
        "out_h": out_h,
        "out_w": out_w,
        "kernel_h": kernel[0],
        "kernel_w": kernel[1],
        "stride_h": stride[0],
        "stride_w": stride[1],
        "pad_top": padding[0],
        "pad_left": padding[2],
    }


def _limits(site: Site) -> dict[str, int]:
    low, high = site.y().limits
    return {"act_min": low, "act_max": high}


@dataclass(frozen=True)
class AveragePool2D(Op):
    """Mean over windows of a channels-last image; padding counts only with ``count_include_pad``."""

    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Quad = (0, 0, 0, 0)
    count_include_pad: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, H', W', C]."""
        return _infer(inputs, self.kernel, self.stride, self.padding)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Window means, divided by the valid count unless the padding counts."""
        image = nchw(x)
        y = F.avg_pool2d(pad_image(image, self.padding), self.kernel, self.stride)
        if any(self.padding) and not self.count_include_pad:
            ones = torch.ones_like(image[:1, :1])
            y = y / F.avg_pool2d(pad_image(ones, self.padding), self.kernel, self.stride)
        return nhwc(y)

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()

    def lower(self, site: Site) -> Lowered:
        """A QAveragePool2D, or its int16 or float16 form."""
        fields = _geometry(site, self.kernel, self.stride, self.padding)
        fields["count_include_pad"] = int(self.count_include_pad)
        if site.dtype() == "float16":
            return Lowered(HalfAveragePool2D(**fields), (0,))
        form = site.form(QAveragePool2D, QAveragePool2D16)
        op = form(**fields, **_limits(site), input_zero_point=int(site.x().zero_point[0]))
        return Lowered(op, (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """Plain, padded, padded and counted."""
        image = (TensorType((1, 7, 6, 3)),)
        return [
            Example(cls(), image),
            Example(cls(kernel=(3, 3), stride=(2, 1), padding=(1, 0, 1, 1)), image),
            Example(cls(kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1), count_include_pad=True), image),
        ]


@dataclass(frozen=True)
class MaxPool2D(Op):
    """Maximum over windows of a channels-last image; padding never wins."""

    kernel: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Quad = (0, 0, 0, 0)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, H', W', C]."""
        return _infer(inputs, self.kernel, self.stride, self.padding)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Window maxima."""
        image = pad_image(nchw(x), self.padding, float("-inf"))
        return nhwc(F.max_pool2d(image, self.kernel, self.stride))

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()

    def lower(self, site: Site) -> Lowered:
        """A QMaxPool2D, or its int16 or float16 form."""
        fields = _geometry(site, self.kernel, self.stride, self.padding)
        if site.dtype() == "float16":
            return Lowered(HalfMaxPool2D(**fields), (0,))
        return Lowered(site.form(QMaxPool2D, QMaxPool2D16)(**fields, **_limits(site)), (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """Plain and padded."""
        image = (TensorType((1, 7, 6, 3)),)
        return [Example(cls(), image), Example(cls(kernel=(3, 3), stride=(2, 1), padding=(1, 0, 1, 1)), image)]
