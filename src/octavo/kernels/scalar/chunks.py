"""Weights as csrc/scalar/dot.h reads them: in chunks whose sums stay in half a word, and what is too large for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.kernels.finish import Finish

__all__ = ["PIXELS", "Chunks", "in_chunks", "starts"]

PIXELS = 4
"""Computed at once, in two words."""

_LONGEST = 8
_MOST = 2**15 // 128 - 1
"""Sum of the absolute weights of a chunk: 128 times that must be less than 2^15."""

_MAX_TAPS = 2**15
_MAX_SEGMENTS = 2**7
_TAP, _CHUNK, _EXTRA = 5.0, 4.0, 20.0
"""Instructions of a Cortex-M3, about: of a tap, at the end of a chunk, of an extra."""


@dataclass(frozen=True)
class Chunks:
    """weights int8 [O, segments, taps], taps a multiple of ``chunk``; records int32, one channel's behind another's."""

    weights: NDArray[np.int8]
    records: NDArray[np.int32]
    chunk: int

    @property
    def taps(self) -> int:
        """Of a segment, weights of 0 included."""
        return int(self.weights.shape[2])


def starts(out_w: int) -> NDArray[np.int64]:
    """Where the four parts of a row begin: octavo_scalar_start."""
    size = -(-out_w // PIXELS)
    return np.minimum(size * np.arange(PIXELS, dtype=np.int64), out_w - size)


def in_chunks(weights: NDArray[np.int64], finish: Finish) -> Chunks | None:
    """Weights [O, segments, taps] in chunks of the length that takes fewest instructions; None where too many."""
    if weights.shape[1] > _MAX_SEGMENTS or weights.shape[2] > _MAX_TAPS - _LONGEST:
        return None
    _, chunk = min((_cost(weights, chunk), chunk) for chunk in range(1, _LONGEST + 1))
    kept, extra = _split(weights, chunk)
    return Chunks(kept.astype(np.int8), _records(extra, finish), chunk)


def _cost(weights: NDArray[np.int64], chunk: int) -> float:
    kept, extra = _split(weights, chunk)
    return kept.size * (_TAP + _CHUNK / chunk) + _EXTRA * np.count_nonzero(extra)


def _split(weights: NDArray[np.int64], chunk: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two parts of the weights [O, segments, taps], filled up with zeros: what chunks can hold, and what is left over.

    A chunk gives up the excess of its largest weights, so that few are left over.
    """
    filled = np.pad(weights, ((0, 0), (0, 0), (0, -weights.shape[2] % chunk)))
    chunks = filled.reshape(-1, chunk)
    order = np.argsort(-np.abs(chunks), axis=1, kind="stable")
    large = np.take_along_axis(np.abs(chunks), order, axis=1)
    before = np.cumsum(large, axis=1) - large
    excess = np.maximum(large.sum(axis=1, keepdims=True) - _MOST, 0)
    given = np.empty_like(chunks)
    np.put_along_axis(given, order, np.clip(excess - before, 0, large), axis=1)
    extra = (np.sign(chunks) * given).reshape(filled.shape)
    return filled - extra, extra


def _records(extra: NDArray[np.int64], finish: Finish) -> NDArray[np.int32]:
    """Bias, multiplier, shift and number of extras of each channel, then its extras."""
    channel, segment, tap = np.nonzero(extra)
    words = (extra[channel, segment, tap] & 0xFF) | segment << 8 | tap << 16
    counts = np.bincount(channel, minlength=len(extra))
    heads = np.stack([finish.bias, finish.multiplier, (finish.shift + 1) | counts << 8], axis=1)
    record = 3 * np.arange(len(extra)) + np.cumsum(counts) - counts
    stream = np.empty(heads.size + len(words), np.int64)
    stream[record[:, None] + np.arange(3)] = heads
    stream[3 * (channel + 1) + np.arange(len(words))] = words
    return stream.astype(np.int32)
