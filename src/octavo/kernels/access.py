"""What the kernel variants read and write, step by step, where they differ from the portable kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.memory import Distance, Spans, distance
from octavo.ops.integer.access import bytes_of, sliding

__all__ = [
    "channel_bands",
    "group_by_group",
    "in_elements",
    "mean_blocks",
    "new_rows",
    "pixel_blocks",
    "pixels_at",
    "ring_rows",
    "row_blocks",
    "window_blocks",
]

Integers = NDArray[np.int64]


def in_elements(elements: Distance, size: int) -> Distance:
    """A distance in elements of ``size`` bytes, in bytes."""
    return elements._replace(below=size * elements.below, above=size * elements.above)


def new_rows(in_h: int, out_h: int, kernel_h: int, stride_h: int, pad_top: int, step: int = 1) -> Spans:
    """Rows of the image that ``step`` rows of the output read: those that no row of the output before has read."""
    rows = np.arange(0, out_h, step, dtype=np.int64)
    top = rows * stride_h - pad_top
    end = (np.minimum(rows + step, out_h) - 1) * stride_h - pad_top + kernel_h
    fresh = np.maximum(top, np.concatenate([top[:1], end[:-1]]))
    return np.clip(fresh, 0, in_h), np.clip(end, 0, in_h)


def pixels_at(first: Integers, end: Integers, channels: int, stride: int) -> Spans:
    """Elements of pixels ``first`` to ``end`` of an output whose pixels begin ``stride`` elements apart."""
    return stride * first, np.where(end > first, stride * (end - 1) + channels, stride * first)


def pixel_blocks(pixels: int, in_c: int, out_c: int, block: int, backward: int, stride: int) -> Distance:
    """``block`` pixels are read, then written, the last ones with what is left; or from the last to the first."""
    first = np.arange(0, pixels, block, dtype=np.int64)[:: -1 if backward else 1]
    end = np.minimum(first + block, pixels)
    return distance((in_c * first, in_c * end), pixels_at(first, end, out_c, stride))


def row_blocks(rows: int, row: int, channels: int, block: int, group: int, backward: int = 0) -> Distance:
    """``block`` rows of ``row`` elements are read for each ``group`` of output channels, which is written then; or so
    from the last block to the first."""
    first = np.arange(0, rows, block, dtype=np.int64)[:: -1 if backward else 1, None]
    channel = np.arange(0, channels, group, dtype=np.int64)
    end = np.minimum(first + block, rows)
    reads = row * first + 0 * channel, row * end + 0 * channel
    last = np.minimum(channel + group, channels)
    return distance(reads, (channels * first + channel, channels * (end - 1) + last))


def group_by_group(reads: Spans, writes: Spans, channels: int, group: int, stride: int) -> Distance:
    """Pixels that steps read and write for each group of channels in turn, of which they touch no other's bytes.

    Input and output may start at one address where the order of the pixels alone allows it, and the output's pixels,
    ``stride`` elements apart, are as near as the input's.
    """
    together = stride == channels and distance(reads, writes).allows(0)
    starts = np.arange(0, channels, group, dtype=np.int64)[:, None]
    ends = np.minimum(starts + group, channels)

    def spread(pixels: Spans, apart: int) -> Spans:
        first = apart * pixels[0] + starts
        return first, np.where(pixels[1] > pixels[0], apart * (pixels[1] - 1) + ends, first)

    return distance(spread(reads, channels), spread(writes, stride))._replace(same=together)


def ring_rows(op: Any, kernel_h: int, step: int = 1) -> Distance:
    """``step`` rows of the output, each of which needs ``kernel_h`` rows of the image, are written when all of these
    are in a ring of working memory."""
    fresh, end = new_rows(op.in_h, op.out_h, kernel_h, op.stride_h, op.pad_top, step)
    row, first = op.in_w * op.in_c, np.arange(0, op.out_h, step, dtype=np.int64)
    last = np.minimum(first + step, op.out_h)
    return distance((row * fresh, row * end), pixels_at(op.out_w * first, op.out_w * last, op.out_c, op.out_stride))


def channel_bands(op: Any) -> Distance:
    """Channel after channel, the rows of a band are read before ``band_out`` rows of the output are written."""
    fresh, end = new_rows(op.in_h, op.out_h, op.kernel_h, op.stride_h, op.pad_top, op.band_out)
    first = np.arange(0, op.out_h, op.band_out)
    writes = op.out_w * first, op.out_w * np.minimum(first + op.band_out, op.out_h)
    return group_by_group((op.in_w * fresh, op.in_w * end), writes, op.channels, 1, op.out_stride)


def window_blocks(op: Any, block: int) -> Distance:
    """``block`` channels of a pool's window are read, then written."""
    return distance(*sliding(op).in_blocks(op.channels, op.channels, block, bytes_of(op.dtype)))


def mean_blocks(outer: int, reduced: int, inner: int, block: int) -> Distance:
    """What ``block`` neighbours [outer, inner] are the means of, [outer, reduced, inner], is read, then they are
    written."""
    first = np.arange(0, inner, block, dtype=np.int64)
    end = np.minimum(first + block, inner)
    image, row = (size * np.arange(outer, dtype=np.int64)[:, None] for size in (reduced * inner, inner))
    return distance((image + first, image + (reduced - 1) * inner + end), (row + first, row + end))
