"""What the kernel variants read and write, step by step, where they differ from the portable kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.memory import Distance, Spans, distance

__all__ = ["group_by_group", "new_rows", "pixel_blocks", "row_blocks"]


def new_rows(in_h: int, out_h: int, kernel_h: int, stride_h: int, pad_top: int, step: int = 1) -> Spans:
    """Rows of the image that ``step`` rows of the output read: those that no row of the output before has read."""
    rows = np.arange(0, out_h, step, dtype=np.int64)
    top = rows * stride_h - pad_top
    end = (np.minimum(rows + step, out_h) - 1) * stride_h - pad_top + kernel_h
    fresh = np.maximum(top, np.concatenate([top[:1], end[:-1]]))
    return np.clip(fresh, 0, in_h), np.clip(end, 0, in_h)


def pixel_blocks(end: NDArray[np.int64], in_c: int, out_c: int, backward: int) -> Distance:
    """Blocks of pixels are read, then written, forward or ``backward``; ``end`` are their rising ends."""
    order = slice(None, None, -1 if backward else 1)
    first, last = np.concatenate([[0], end[:-1]])[order], end[order]
    return distance((in_c * first, in_c * last), (out_c * first, out_c * last))


def row_blocks(rows: int, row: int, channels: int, block: int, group: int) -> Distance:
    """``block`` rows of ``row`` elements are read for each ``group`` of output channels, which is written then."""
    first, channel = np.arange(0, rows, block, dtype=np.int64)[:, None], np.arange(0, channels, group, dtype=np.int64)
    end = np.minimum(first + block, rows)
    reads = row * first + 0 * channel, row * end + 0 * channel
    last = np.minimum(channel + group, channels)
    return distance(reads, (channels * first + channel, channels * (end - 1) + last))


def group_by_group(reads: Spans, writes: Spans, channels: int, group: int) -> Distance:
    """Pixels that steps read and write for each group of channels in turn, of which they touch no other's bytes.

    Input and output may start at one address where the order of the pixels alone allows it.
    """
    together = distance(reads, writes).allows(0)
    starts = np.arange(0, channels, group, dtype=np.int64)[:, None]
    ends = np.minimum(starts + group, channels)

    def spread(pixels: Spans) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        first = channels * pixels[0] + starts
        return first, np.where(pixels[1] > pixels[0], channels * (pixels[1] - 1) + ends, first)

    return distance(spread(reads), spread(writes))._replace(same=together)
