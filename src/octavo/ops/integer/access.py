"""The bytes that the loops of the integer kernels touch, step by step: from them follows how near input and output may
come (``octavo.memory.distance``). Every function stands for a loop of csrc, whose order it must have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from octavo.memory import Distance, Spans, distance

__all__ = [
    "Axis",
    "Windows",
    "axis_taps",
    "bytes_of",
    "element_by_element",
    "in_chunks",
    "scattered",
    "sliding",
    "strided",
    "windows_of",
]

Integers = NDArray[np.int64]


def bytes_of(dtype: str) -> int:
    """Bytes of an element."""
    return np.dtype(dtype).itemsize


def element_by_element(read: Integers, in_bytes: int = 1, out_bytes: int = 1) -> Distance:
    """Step i reads element ``read[i]`` of the input and writes element i of the output."""
    written = np.arange(len(read), dtype=np.int64)
    return distance((in_bytes * read, in_bytes * (read + 1)), (out_bytes * written, out_bytes * (written + 1)))


def in_chunks(reads: Spans, chunk: int, in_bytes: int = 1, out_bytes: int = 1) -> Distance:
    """Chunk i of the output has ``chunk`` elements, written one by one; for each the elements ``reads`` i are read."""
    reads = reads[0].reshape(-1), reads[1].reshape(-1)
    first = chunk * np.arange(len(reads[0]), dtype=np.int64)
    # Before the last element of a chunk is written, its elements are read again: two steps say all.
    splits = np.stack([first, first + chunk - 1, first + chunk], axis=1)
    writes = splits[:, :-1].reshape(-1), splits[:, 1:].reshape(-1)
    twice = tuple(in_bytes * np.repeat(bound, 2) for bound in reads)
    return distance((twice[0], twice[1]), (out_bytes * writes[0], out_bytes * writes[1]))


def strided(shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Integers:
    """Elements of the input that the elements of an output of ``shape`` read, in the output's order."""
    index = np.full(1, offset, dtype=np.int64)
    for size, stride in zip(shape, strides, strict=True):
        index = (index[:, None] + stride * np.arange(size, dtype=np.int64)).reshape(-1)
    return index


class Axis(NamedTuple):
    """Along one axis, the first position of the input that each output position reads and the end of what it reads."""

    first: Integers
    end: Integers


def axis_taps(size: int, out: int, kernel: int, stride: int, dilation: int, pad: int) -> Axis:
    """Windows that slide: only taps inside the image are read."""
    origin = stride * np.arange(out, dtype=np.int64) - pad
    low = np.maximum(-(origin // dilation), 0)
    high = np.minimum(-((origin - size) // dilation), kernel)
    return Axis(origin + low * dilation, np.where(high > low, origin + (high - 1) * dilation + 1, -1))


def scattered(size: int, out: int, kernel: int, stride: int, pad: int) -> Axis:
    """Along one axis of a transposed convolution, the input positions that reach each output position."""
    position = np.arange(out, dtype=np.int64) + pad
    first = np.maximum(-((kernel - 1 - position) // stride), 0)
    return Axis(first, np.minimum(position // stride + 1, size))


class Windows(NamedTuple):
    """Input pixels that each output pixel reads: the first and the end, row by row, along both axes."""

    first: Integers
    end: Integers

    def in_groups(self, channels: int, groups: int) -> Spans:
        """Elements that each group of channels of each output pixel reads, of an image of so many channels."""
        starts = channels // groups * np.arange(groups, dtype=np.int64)
        return self._elements(channels, starts, starts + channels // groups)

    def in_blocks(self, in_c: int, out_c: int, block: int, size: int) -> tuple[Spans, Spans]:
        """Bytes that each block of so many output channels reads, of an image of in_c channels, and that it writes.

        Output channel c reads the input's channel c / (out_c / in_c); elements have ``size`` bytes.
        """
        starts = np.arange(0, out_c, block, dtype=np.int64)
        ends = np.minimum(starts + block, out_c)
        first, end = self._elements(in_c, starts * in_c // out_c, (ends - 1) * in_c // out_c + 1)
        pixels = out_c * np.arange(len(self.first), dtype=np.int64)[:, None]
        return (size * first, size * end), (size * (pixels + starts), size * (pixels + ends))

    def _elements(self, channels: int, starts: Integers, ends: Integers) -> Spans:
        """[pixels, parts]: channels ``starts`` to ``ends`` of each window, nothing of an empty one."""
        first = self.first[:, None] * channels + starts
        inside = (self.end > self.first)[:, None]
        return first, np.where(inside, (self.end[:, None] - 1) * channels + ends, first)


def windows_of(rows: Axis, columns: Axis, in_w: int) -> Windows:
    """The windows of an image ``in_w`` pixels wide, in the order of the output's pixels."""
    first = rows.first[:, None] * in_w + columns.first
    end = (rows.end[:, None] - 1) * in_w + columns.end
    inside = (rows.end > rows.first)[:, None] & (columns.end > columns.first)
    return Windows(first.reshape(-1), np.where(inside, end, first).reshape(-1))


def sliding(op: Any) -> Windows:
    """Windows of an operator with in_h, kernel_h, stride_h and so on; dilation 1 where it has none."""
    rows = axis_taps(op.in_h, op.out_h, op.kernel_h, op.stride_h, getattr(op, "dilation_h", 1), op.pad_top)
    columns = axis_taps(op.in_w, op.out_w, op.kernel_w, op.stride_w, getattr(op, "dilation_w", 1), op.pad_left)
    return windows_of(rows, columns, op.in_w)
