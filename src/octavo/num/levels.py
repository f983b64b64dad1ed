"""Which integers of its dtype a tensor may hold.

A format of weights with fewer or uneven levels is still a tensor of int8 with one scale a tensor or a channel: 4-bit
weights are the integers -7 to 7, power-of-two weights the integers 0, 1, 2, 4 ... 64 and their negatives, and weights
with a scale for each group are multiples of that group's factor. So every executor that computes int8 weights computes
them all, exactly, and packing them tighter is a matter of storage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError

__all__ = ["All", "Between", "Grouped", "Levels", "Narrow", "PowersOfTwo", "group_factor_limit", "split_groups"]

Real = NDArray[np.float64]


@dataclass(frozen=True)
class All:
    """Every integer of the dtype."""

    def nearest(self, x: Real, channel_axis: int | None) -> Real:
        """The nearest integer, unbounded."""
        return np.asarray(np.rint(x))

    @property
    def bits(self) -> int | None:
        """Bits of storage; None says as the dtype."""
        return None


@dataclass(frozen=True)
class Narrow:
    """The symmetric integers of ``bits`` bits: -(2^(bits-1) - 1) to 2^(bits-1) - 1."""

    bits: int

    def __post_init__(self) -> None:
        _check_bits(self.bits, 2, 16)

    @property
    def peak(self) -> int:
        """The largest level."""
        return int(2 ** (self.bits - 1) - 1)

    def nearest(self, x: Real, channel_axis: int | None) -> Real:
        """The nearest level."""
        return np.clip(np.rint(x), -self.peak, self.peak)


@dataclass(frozen=True)
class Between:
    """The integers ``low`` to ``high``: activations of fewer bits than their dtype."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not -128 <= self.low < self.high <= 127:
            raise OctavoError(f"levels {self.low} to {self.high}", "are none of int8", "Quantize the network again.")

    def nearest(self, x: Real, channel_axis: int | None) -> Real:
        """The nearest integer, unbounded: where the range ends depends on the zero_point."""
        return np.asarray(np.rint(x))

    @property
    def bits(self) -> int:
        """Bits that tell the levels apart."""
        return (self.high - self.low).bit_length()


@dataclass(frozen=True)
class PowersOfTwo:
    """0 and +-2^k for 0 <= k < 2^(bits-1) - 1: products become shifts (Miyashita et al. 2016, in the linear domain).

    At most 4 bits: seven exponents, the largest level 64.
    """

    bits: int

    def __post_init__(self) -> None:
        _check_bits(self.bits, 2, 4)

    @property
    def peak(self) -> int:
        """The largest level."""
        return int(2 ** (2 ** (self.bits - 1) - 2))

    def nearest(self, x: Real, channel_axis: int | None) -> Real:
        """The nearest level: from 0.75 * 2^k on it is 2^k, below one half it is zero."""
        size = np.abs(x)
        with np.errstate(divide="ignore"):
            exponent = np.floor(np.log2(size * (4 / 3)))
        level = np.where(size < 0.5, 0.0, np.exp2(np.clip(exponent, 0, np.log2(self.peak))))
        return np.asarray(np.sign(x) * level)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Multiples f * q, q of ``bits`` bits, with one factor f for each group of ``size`` consecutive weights.

    ``factors`` is int8 [channels, groups], positive; a channel's weights are counted row by row with the channel's
    axis taken out. The group's scale is the channel's scale times its factor (VS-Quant, Dai et al. 2021: integer
    scales of vectors under a float scale of the channel), so sums over groups stay plain integer sums.
    """

    bits: int
    size: int
    factors: NDArray[np.int8]

    def __post_init__(self) -> None:
        limit = group_factor_limit(self.bits)
        factors = np.array(self.factors, np.int8)
        if factors.ndim != 2 or self.size < 1 or factors.min(initial=1) < 1 or factors.max(initial=1) > limit:
            raise OctavoError(
                "encoding",
                f"group factors {list(factors.shape)} of groups of {self.size} are not a matrix of 1 to {limit}",
                "Quantize the weights again.",
            )
        factors.setflags(write=False)
        object.__setattr__(self, "factors", factors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Grouped) or (self.bits, self.size) != (other.bits, other.size):
            return False
        return bool(np.array_equal(self.factors, other.factors))

    def __hash__(self) -> int:
        return hash((self.bits, self.size, self.factors.tobytes()))

    def nearest(self, x: Real, channel_axis: int | None) -> Real:
        """The nearest level of each group."""
        axis = channel_axis or 0
        rows, restore = split_groups(x, axis, self.size)
        factors = self.factors[:, :, None].astype(np.float64)
        peak = 2 ** (self.bits - 1) - 1
        levels: Real = restore(np.clip(np.rint(rows / factors), -peak, peak) * factors)
        return levels


Levels = All | Between | Narrow | PowersOfTwo | Grouped


def group_factor_limit(bits: int) -> int:
    """The largest factor with which a level of ``bits`` bits still fits into int8."""
    _check_bits(bits, 2, 6)
    return int(127 // (2 ** (bits - 1) - 1))


def split_groups(x: Real, channel_axis: int, size: int) -> tuple[Real, Callable[[Real], Real]]:
    """(x as [channels, groups, size], padded with zeros; a function that undoes it)."""
    moved = np.moveaxis(x, channel_axis, 0)
    flat = moved.reshape(moved.shape[0], -1)
    groups = -(-flat.shape[1] // size)
    padded = np.zeros((flat.shape[0], groups * size), x.dtype)
    padded[:, : flat.shape[1]] = flat

    def restore(rows: Real) -> Real:
        back = rows.reshape(rows.shape[0], -1)[:, : flat.shape[1]].reshape(moved.shape)
        return np.moveaxis(back, 0, channel_axis)

    return padded.reshape(flat.shape[0], groups, size), restore


def _check_bits(bits: int, low: int, high: int) -> None:
    if not low <= bits <= high:
        raise OctavoError(f"{bits} bits", "are not possible here", f"Use {low} to {high} bits.")
