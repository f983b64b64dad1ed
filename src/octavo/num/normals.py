"""Clipped normal variables, one for each channel: what data-free quantization knows of an activation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from octavo.num.channels import ChannelMoments
from octavo.num.histogram import BINS, Histogram

__all__ = ["ClippedNormals"]

Vector = NDArray[np.float64]
_COUNT = 2.0**20
_CHUNK = 256


@dataclass(frozen=True, eq=False)
class ClippedNormals:
    """min(max(X, low), high) with X normal of mean ``centre`` and standard deviation ``deviation``; all float64 [C].

    ``least`` and ``most`` are bounds that the values are known to keep although the normal does not (a sum of values
    above zero): they bound the extent, not the moments.
    """

    centre: Vector
    deviation: Vector
    low: Vector
    high: Vector
    least: Vector
    most: Vector

    @staticmethod
    def of(
        mean: ArrayLike, deviation: ArrayLike, least: ArrayLike = -np.inf, most: ArrayLike = np.inf
    ) -> ClippedNormals:
        """Normal variables, not clipped, of which bounds may be known."""
        fields = (mean, deviation, -np.inf, np.inf, least, most)
        return ClippedNormals(*np.broadcast_arrays(*(np.asarray(field, np.float64) for field in fields)))

    def clipped(self, low: ArrayLike, high: ArrayLike) -> ClippedNormals:
        """min(max(x, low), high)."""
        bounds = (np.clip(part, low, high) for part in (self.low, self.high, self.least, self.most))
        return ClippedNormals(self.centre, self.deviation, *bounds)

    def affine(self, scale: ArrayLike, shift: ArrayLike) -> ClippedNormals:
        """X * scale + shift."""
        s, t = np.asarray(scale, np.float64), np.asarray(shift, np.float64)
        ends = []
        for first, second in ((self.low, self.high), (self.least, self.most)):
            with np.errstate(invalid="ignore"):
                a, b = (np.where(s == 0, t, end * s + t) for end in (first, second))
            ends += [np.minimum(a, b), np.maximum(a, b)]
        parts = np.broadcast_arrays(self.centre * s + t, self.deviation * np.abs(s), *ends)
        return ClippedNormals(*parts)

    def part(self, index: slice | NDArray[np.int64]) -> ClippedNormals:
        """Some channels."""
        fields = (self.centre, self.deviation, self.low, self.high, self.least, self.most)
        return ClippedNormals(*(field[index] for field in fields))

    @property
    def mean(self) -> Vector:
        """E y = c (P(b) - P(a)) + d (p(a) - p(b)) + low P(a) + high (1 - P(b)).

        a and b are the bounds in deviations from the centre, p the normal density and P = (1 + erf(z / sqrt 2)) / 2.
        """
        (below, at_low), (above, at_high), low, high = self._at_bounds()
        inside = 1 - below - above
        return np.asarray(self.centre * inside + self.deviation * (at_low - at_high) + low * below + high * above)

    @property
    def square(self) -> Vector:
        """E y^2 = (c^2 + d^2) (P(b) - P(a)) + d ((c + low) p(a) - (c + high) p(b)) + low^2 P(a) + high^2 (1 - P(b))."""
        (below, at_low), (above, at_high), low, high = self._at_bounds()
        c, d, inside = self.centre, self.deviation, 1 - below - above
        tails = d * ((c + low) * at_low - (c + high) * at_high)
        return np.asarray((c**2 + d**2) * inside + tails + low**2 * below + high**2 * above)

    @property
    def variance(self) -> Vector:
        """E y^2 - (E y)^2, of the variables moved to their centre."""
        moved = self.affine(1.0, -self.centre)
        return np.asarray(np.maximum(moved.square - moved.mean**2, 0.0))

    def _at_bounds(self) -> tuple[tuple[Vector, Vector], tuple[Vector, Vector], Vector, Vector]:
        """(probability beyond, density) at both bounds, and the bounds, 0 where infinite."""
        deviation = np.maximum(self.deviation, 1e-300)
        a, b = (self.low - self.centre) / deviation, (self.high - self.centre) / deviation
        low, high = (np.where(np.isfinite(bound), bound, 0.0) for bound in (self.low, self.high))
        return (_cdf(a), _density(a)), (_cdf(-b), _density(b)), low, high

    def extent(self, spread: float) -> tuple[Vector, Vector]:
        """centre -+ spread * deviation, as far as the bounds let it."""
        reach = spread * self.deviation
        ends = (np.clip(self.centre + side * reach, self.low, self.high) for side in (-1.0, 1.0))
        low, high = (np.clip(end, self.least, self.most) for end in ends)
        return low, high

    def moments(self, spread: float) -> ChannelMoments:
        """Extremes, mean and mean square as calibration would have them."""
        low, high = self.extent(spread)
        mean = np.clip(self.mean, low, high)
        return ChannelMoments(round(_COUNT), low, high, mean, mean**2 + self.variance)

    def histogram(self, spread: float) -> Histogram:
        """The mixture of all channels in equal shares; what is beyond ``extent`` counts at its ends."""
        low, high = self.extent(spread)
        peak = max(-float(low.min()), float(high.max()))
        if peak <= 0:
            return Histogram(zeros=_COUNT)
        reach = 2.0 ** (math.floor(math.log2(peak)) + 1)
        edges = np.linspace(-reach, reach, BINS + 1)
        below, zeros = np.zeros(BINS + 1), 0.0
        for start in range(0, len(low), _CHUNK):
            index = slice(start, start + _CHUNK)
            c, d = self.centre[index, None], np.maximum(self.deviation[index, None], 1e-300)
            a, b = low[index, None], high[index, None]
            share = np.where(edges <= a, 0.0, np.where(edges > b, 1.0, _cdf((edges - c) / d)))
            below += share.sum(0)
            at_zero = _cdf(-c / d)
            zeros += float(np.where(b == 0, 1.0, at_zero)[a == 0].sum() + (1 - at_zero)[(b == 0) & (a < 0)].sum())
        counts = np.diff(below)
        counts[BINS // 2] = max(counts[BINS // 2] - zeros, 0.0)
        weight = _COUNT / len(low)
        return Histogram(reach, counts * weight, zeros * weight)


def _cdf(z: Vector) -> Vector:
    """(1 + erf(z / sqrt 2)) / 2, accurate in both tails."""
    return np.asarray(torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(z, np.float64))).numpy())


def _density(z: Vector) -> Vector:
    return np.asarray(np.exp(-0.5 * np.clip(z, -40.0, 40.0) ** 2) / math.sqrt(2 * math.pi))
