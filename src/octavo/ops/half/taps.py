"""The taps of float16 windows, and the order in which the kernels read them: csrc/portable/taps_f16.h."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from octavo.memory import Distance, Spans, distance

__all__ = ["BLOCK", "blocks_of_groups", "padded", "tap", "taps_of"]

BLOCK = 8
"""Output channels that the kernels sum at once."""


def padded(op: Any, x: torch.Tensor, value: float = 0.0) -> torch.Tensor:
    """The image in float32 with ``value`` as far as the windows reach."""
    rows, columns = getattr(op, "dilation_h", 1), getattr(op, "dilation_w", 1)
    bottom = (op.out_h - 1) * op.stride_h + rows * (op.kernel_h - 1) + 1 - op.in_h - op.pad_top
    right = (op.out_w - 1) * op.stride_w + columns * (op.kernel_w - 1) + 1 - op.in_w - op.pad_left
    return F.pad(x.float(), (0, 0, op.pad_left, right, op.pad_top, bottom), value=value)


def taps_of(op: Any) -> Iterator[tuple[int, int]]:
    """(row, column) of each tap in order."""
    return product(range(op.kernel_h), range(op.kernel_w))


def tap(op: Any, image: torch.Tensor, ky: int, kx: int) -> torch.Tensor:
    """[N, out_h, out_w, C]: the pixels of a padded image that meet one tap of the window."""
    top, left = ky * getattr(op, "dilation_h", 1), kx * getattr(op, "dilation_w", 1)
    rows = slice(top, top + (op.out_h - 1) * op.stride_h + 1, op.stride_h)
    return image[:, rows, left : left + (op.out_w - 1) * op.stride_w + 1 : op.stride_w]


def blocks_of_groups(reads: Spans, channels: int) -> Distance:
    """Each group of ``channels`` of the output is written in blocks, before each of which its ``reads`` are read."""
    first, end = (2 * bound.reshape(-1, 1) for bound in reads)
    starts = np.arange(0, channels, BLOCK, dtype=np.int64)
    ends = np.minimum(starts + BLOCK, channels)
    groups = channels * np.arange(len(first), dtype=np.int64)[:, None]
    return distance((first + 0 * starts, end + 0 * starts), (2 * (groups + starts), 2 * (groups + ends)))
