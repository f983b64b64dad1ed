"""The division of average pools as the kernels have it, a multiplication, against the division of the contract."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def divided(sums: Integers, count: int) -> Integers:
    """Half away from zero, as the contract says."""
    return np.sign(sums) * ((np.abs(sums) + count // 2) // count)


def multiplied(sums: Integers, count: int, bits: int) -> Integers:
    """floor(sum m / 2^bits + 1/2) with m = floor(2^bits / count) + 1."""
    return (sums * (2**bits // count + 1) + 2 ** (bits - 1)) >> bits


@pytest.mark.parametrize(
    ("bits", "largest"),
    [(30, 256), (29, 256)],
    ids=["average_pool2d_s8_dsp", "average_pool2d_s8_mve"],
)
def test_every_sum_of_int8(bits: int, largest: int) -> None:
    for count in range(1, largest + 1):
        sums = np.arange(-128 * count, 127 * count + 1)
        np.testing.assert_array_equal(multiplied(sums, count, bits), divided(sums, count))


def test_sums_of_int16_around_every_tie() -> None:
    """average_pool2d_s16_dsp: between two neighbouring ties nothing else can differ, for both sides rise."""
    for count in range(1, 128):
        ties = count * np.arange(-2 * 32768, 2 * 32767 + 1) // 2
        for sums in (ties - 1, ties, ties + 1):
            np.testing.assert_array_equal(multiplied(sums, count, 30), divided(sums, count))


def test_larger_windows_are_not_exact() -> None:
    """The limits of the kernels are those of the proof: far beyond them some sum is wrong."""
    ties = 4096 * np.arange(-2 * 32768, 2 * 32767 + 1) // 2
    assert any(np.any(multiplied(sums, 4095, 30) != divided(sums, 4095)) for sums in (ties - 1, ties, ties + 1))
