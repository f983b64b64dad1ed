"""Geometry of sliding windows, shared by convolutions and pools: pairs are (height, width)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

__all__ = ["Pair", "Quad", "depthwise_filters", "nchw", "nhwc", "pad_image", "transposed_size", "window_size"]

Pair = tuple[int, int]
Quad = tuple[int, int, int, int]


def window_size(size: Pair, kernel: Pair, stride: Pair, padding: Quad, dilation: Pair = (1, 1)) -> Pair:
    """Output (height, width) of a window that slides over an image padded by (top, bottom, left, right)."""
    if min(*kernel, *stride, *dilation) < 1 or min(padding) < 0:
        raise ValueError(f"kernel {kernel}, stride {stride}, dilation {dilation} or padding {padding} is out of range")
    height = (size[0] + padding[0] + padding[1] - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
    width = (size[1] + padding[2] + padding[3] - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
    if height < 1 or width < 1:
        raise ValueError(f"window {kernel} (dilation {dilation}) does not fit an image of {size} padded by {padding}")
    return height, width


def transposed_size(size: Pair, kernel: Pair, stride: Pair, padding: Quad) -> Pair:
    """Output (height, width) of a transposed convolution."""
    height = (size[0] - 1) * stride[0] + kernel[0] - padding[0] - padding[1]
    width = (size[1] - 1) * stride[1] + kernel[1] - padding[2] - padding[3]
    if height < 1 or width < 1 or min(*kernel, *stride) < 1:
        raise ValueError(f"kernel {kernel} with padding {padding} leaves nothing of an image of {size}")
    return height, width


def nchw(x: torch.Tensor) -> torch.Tensor:
    """Channels first.

    One channel gets the strides of a contiguous tensor: with those of channels last, which mean the same memory, oneDNN
    computes a convolution of stride (1, 2) wrongly (torch 2.13 on x86).
    """
    return x.permute(0, 3, 1, 2) if x.shape[3] > 1 else x.reshape(x.shape[0], 1, *x.shape[1:3])


def depthwise_filters(w: torch.Tensor) -> torch.Tensor:
    """Depthwise weights [1, KH, KW, O] as torch has them, [O, 1, KH, KW], with the strides that ``nchw`` explains."""
    return nchw(w.permute(3, 1, 2, 0))


def nhwc(x: torch.Tensor) -> torch.Tensor:
    """Channels last."""
    return x.permute(0, 2, 3, 1)


def pad_image(x: torch.Tensor, padding: Quad, value: float = 0.0) -> torch.Tensor:
    """Pad a channels-first image by (top, bottom, left, right)."""
    top, bottom, left, right = padding
    return F.pad(x, (left, right, top, bottom), value=value) if any(padding) else x
