"""The window that slides over an image, as the integer convolutions have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import TensorType
from octavo.ops.window import nchw

__all__ = ["RandomWindow", "check_image", "padded_image", "random_window"]


def check_image(op: Any, inputs: Sequence[TensorType], weights: tuple[int, ...]) -> tuple[TensorType, ...]:
    """The output's type; ValueError unless the image has the operator's shape and the weights have theirs."""
    x, w = inputs[0], inputs[1]
    if x.shape[1:] != (op.in_h, op.in_w, op.in_c) or x.dtype != op.dtype:
        raise ValueError(f"input {x} is not {op.dtype} [{op.in_h}, {op.in_w}, {op.in_c}]")
    if w.shape != weights:
        raise ValueError(f"weights {w} are not {weights}")
    return (TensorType((x.shape[0], op.out_h, op.out_w, op.out_c), op.dtype),)


def padded_image(op: Any, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """x - zero_point, channels first, with zeros as far as the windows reach."""
    image = nchw(x.to(dtype) - op.input_zero_point)
    bottom = (op.out_h - 1) * op.stride_h + op.dilation_h * (op.kernel_h - 1) + 1 - op.in_h - op.pad_top
    right = (op.out_w - 1) * op.stride_w + op.dilation_w * (op.kernel_w - 1) + 1 - op.in_w - op.pad_left
    return F.pad(image, (op.pad_left, right, op.pad_top, bottom))


@dataclass(frozen=True)
class RandomWindow:
    """A drawn geometry: pairs are (height, width); ``before`` is the padding at the top and left."""

    size: tuple[int, int]
    out: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    before: tuple[int, int]


def random_window(rng: np.random.Generator, kernel: tuple[int, int]) -> RandomWindow:
    """Sizes, strides, dilations and one-sided paddings in which the kernel fits."""

    def axis(k: int) -> tuple[int, int, int, int, int]:
        stride, dilation = int(rng.integers(1, 4)), int(rng.integers(1, 3))
        before, after = int(rng.integers(0, k)), int(rng.integers(0, k))
        reach = dilation * (k - 1) + 1
        size = max(int(rng.integers(1, 9)), reach - before - after)
        return size, (size + before + after - reach) // stride + 1, stride, dilation, before

    pairs = tuple(zip(axis(kernel[0]), axis(kernel[1]), strict=True))
    return RandomWindow(*pairs)
