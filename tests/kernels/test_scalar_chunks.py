"""Weights in chunks and what is left over: together they are the weights, and every chunk's sums fit half a word."""

from __future__ import annotations

import numpy as np
import pytest

from octavo.kernels.finish import Finish
from octavo.kernels.scalar.chunks import in_chunks, starts


def finish(channels: int, rng: np.random.Generator) -> Finish:
    ends = (
        rng.integers(-(2**20), 2**20, channels),
        rng.integers(2**30, 2**31, channels),
        rng.integers(1, 20, channels),
    )
    bias, multiplier, shift = ends
    nothing = np.zeros((channels, 1), np.int64)
    return Finish(nothing, *(v.astype(np.int32) for v in (bias, multiplier)), shift.astype(np.int8), False, False)


@pytest.mark.parametrize("largest", [1, 20, 127])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 3), (8, 3, 48), (7, 1, 67)])
def test_chunks_and_extras_are_the_weights(shape: tuple[int, int, int], largest: int) -> None:
    rng = np.random.default_rng(largest)
    weights = rng.integers(-largest, largest + 1, shape)
    weights[0] = largest
    ends = finish(shape[0], rng)
    made = in_chunks(weights, ends)
    assert made is not None and made.weights.shape[2] % made.chunk == 0
    sums = np.abs(made.weights.astype(np.int64)).reshape(-1, made.chunk).sum(axis=1)
    assert 128 * sums.max() < 2**15
    whole, at = made.weights.astype(np.int64), 0
    for channel in range(shape[0]):
        bias, multiplier, last = (int(v) for v in made.records[at : at + 3])
        assert (bias, multiplier, last & 0xFF) == (
            ends.bias[channel],
            ends.multiplier[channel],
            ends.shift[channel] + 1,
        )
        at += 3
        for word in made.records[at : at + (last >> 8)]:
            whole[channel, word >> 8 & 0xFF, word >> 16] += np.int8(np.uint8(word & 0xFF).astype(np.int8))
        at += last >> 8
    assert at == len(made.records)
    np.testing.assert_array_equal(whole[:, :, : shape[2]], weights)
    assert not whole[:, :, shape[2] :].any()


@pytest.mark.parametrize("width", range(1, 40))
def test_four_parts_cover_a_row(width: int) -> None:
    first, size = starts(width), width - starts(width)[-1]
    assert first[0] == 0 and set(range(width)) == {int(start) + i for start in first for i in range(size)}
    assert first.min() >= 0 and first.max() + size == width
