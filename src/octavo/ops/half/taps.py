"""The taps of float16 windows, and the order in which the kernels read them: csrc/portable/taps_f16.h."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from octavo.memory import Distance, Spans, distance
from octavo.ops.integer.access import sliding

__all__ = ["BLOCK", "blocks_of_groups", "blocks_of_pairs", "padded", "tap", "taps_of"]

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


def blocks_of_pairs(op: Any) -> Distance:
    """A convolution's blocks of each group of channels: the windows of two neighbouring pixels are read, then both are
    written."""
    windows = sliding(op).in_groups(op.in_c, op.groups)
    first, end = (bound.reshape(op.out_h, op.out_w, op.groups, 1) for bound in windows)
    some = end > first
    left = np.arange(0, op.out_w, 2, dtype=np.int64)
    right = np.minimum(left + 1, op.out_w - 1)
    low, high = np.where(some, first, np.iinfo(np.int64).max), np.where(some, end, 0)
    reads_end = np.maximum(high[:, left], high[:, right])
    reads_first = np.where(reads_end > 0, np.minimum(low[:, left], low[:, right]), 0)
    channels = op.out_c // op.groups
    starts = np.arange(0, channels, BLOCK, dtype=np.int64)
    ends = np.minimum(starts + BLOCK, channels)
    rows = op.out_w * np.arange(op.out_h, dtype=np.int64)[:, None, None, None]
    groups = channels * np.arange(op.groups, dtype=np.int64)[:, None]
    writes_first = op.out_c * (rows + left[:, None, None]) + groups + starts
    writes_end = op.out_c * (rows + right[:, None, None]) + groups + ends
    reads = (np.broadcast_to(bound, writes_end.shape).reshape(-1) for bound in (reads_first, reads_end))
    return distance((2 * next(reads), 2 * next(reads)), (2 * writes_first.reshape(-1), 2 * writes_end.reshape(-1)))


def blocks_of_groups(reads: Spans, channels: int) -> Distance:
    """Each group of ``channels`` of the output is written in blocks, before each of which its ``reads`` are read."""
    first, end = (2 * bound.reshape(-1, 1) for bound in reads)
    starts = np.arange(0, channels, BLOCK, dtype=np.int64)
    ends = np.minimum(starts + BLOCK, channels)
    groups = channels * np.arange(len(first), dtype=np.int64)[:, None]
    return distance((first + 0 * starts, end + 0 * starts), (2 * (groups + starts), 2 * (groups + ends)))
