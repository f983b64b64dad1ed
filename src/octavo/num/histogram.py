"""A streaming histogram of bounded size, and the piecewise uniform densities that range methods read from several."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["BINS", "Densities", "Histogram"]

BINS = 4096
_SMALLEST = 2.0**-40
_FLOAT32_REACH = 2.0**126
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts of values in BINS equal bins over [-reach, reach), ``reach`` a power of two that doubles when needed.

    Doubling adds neighbouring bins in pairs, so the result does not depend on the order of the batches. ``zeros`` are
    counted apart: zero is a level of every format. Bins are found in float32: a value within a millionth of ``reach``
    of an edge may be counted into the neighbour. NaN and infinite values make ``reach`` infinite, for good.
    """

    reach: float = _SMALLEST
    counts: NDArray[np.float64] | None = None
    zeros: float = 0.0

    def update(self, batch: torch.Tensor) -> Histogram:
        """With another batch."""
        low, high = (float(v) for v in torch.aminmax(batch))
        peak = max(-low, high)
        if not math.isfinite(peak) or math.isinf(self.reach):
            return replace(self, reach=math.inf)
        reach = max(self.reach, 2.0 ** (math.floor(math.log2(peak)) + 1)) if peak > 0 else self.reach
        zeros = batch.numel() - int(torch.count_nonzero(batch))
        wide = batch.float() if reach < _FLOAT32_REACH else batch.double()
        counts = torch.histc(wide, BINS, -reach, reach).double().numpy()
        counts[BINS // 2] -= zeros
        return self.merge(Histogram(reach, counts, float(zeros)))

    def merge(self, other: Histogram) -> Histogram:
        """Both together."""
        reach = max(self.reach, other.reach)
        if math.isinf(reach):
            return Histogram(math.inf)
        mine, theirs = self._widened(reach), other._widened(reach)
        if mine is None or theirs is None:
            counts = theirs if mine is None else mine
        else:
            counts = mine + theirs
        return Histogram(reach, counts, self.zeros + other.zeros)

    def _widened(self, reach: float) -> Vector | None:
        """The counts over [-reach, reach)."""
        counts = self.counts
        if counts is None:
            return None
        for _ in range(round(math.log2(reach / self.reach))):
            pairs = counts.reshape(-1, 2).sum(1)
            counts = np.zeros(BINS)
            counts[BINS // 4 : 3 * BINS // 4] = pairs
        return counts


class Densities:
    """Several histograms as densities that are uniform inside each bin; zeros are left out.

    ``low``, ``high`` [T] are the given extremes, ``total`` [T] the counts without zeros.
    """

    def __init__(self, histograms: Sequence[Histogram], extremes: Sequence[tuple[float, float]]) -> None:
        empty = np.zeros(BINS)
        self.counts = np.stack([empty if h.counts is None else h.counts for h in histograms])
        self.reach = np.array([h.reach for h in histograms])
        self.zeros = np.array([h.zeros for h in histograms])
        self.low, self.high = np.array([e[0] for e in extremes]), np.array([e[1] for e in extremes])
        self.width = 2 * self.reach / BINS
        left = -self.reach[:, None] + self.width[:, None] * np.arange(BINS)
        right = left + self.width[:, None]
        powers = (np.ones_like(left), (left + right) / 2, (left * left + left * right + right * right) / 3)
        self._sums = [np.pad(np.cumsum(self.counts * p, axis=1), ((0, 0), (1, 0))) for p in powers]
        self.total = self._sums[0][:, -1]

    def take(self, rows: NDArray[np.int64]) -> Densities:
        """Some of the densities."""
        part = copy.copy(self)
        for name in ("counts", "reach", "zeros", "low", "high", "width", "total"):
            setattr(part, name, getattr(self, name)[rows])
        part._sums = [sums[rows] for sums in self._sums]
        return part

    def below(self, edges: Vector) -> tuple[Vector, Vector, Vector]:
        """For edges [T, ...]: count, sum and sum of squares of the values below each edge."""
        rows = edges.reshape(len(edges), -1)
        at = np.clip((rows + self.reach[:, None]) / self.width[:, None], 0, BINS)
        index = np.minimum(at.astype(np.int64), BINS - 1)
        part = at - index
        left = -self.reach[:, None] + self.width[:, None] * index
        right = left + self.width[:, None] * part
        inside = np.take_along_axis(self.counts, index, 1) * part
        powers = (1.0, (left + right) / 2, (left * left + left * right + right * right) / 3)
        found = [np.take_along_axis(s, index, 1) + inside * p for s, p in zip(self._sums, powers, strict=True)]
        return found[0].reshape(edges.shape), found[1].reshape(edges.shape), found[2].reshape(edges.shape)

    def error(self, scale: Vector, first: Vector, levels: int) -> Vector:
        """Sum of squared errors [T, C] of rounding to the ``levels`` values scale * (first + i), clipping outside.

        ``scale`` and ``first`` are [T, C]. Exact for the density up to 1,024 levels; above, rounding inside the range
        counts scale^2 / 12 a value.
        """
        if levels <= 1024:
            steps = np.arange(levels)
            values = scale[..., None] * (first[..., None] + steps)
            edges = values[..., 1:] - scale[..., None] / 2
            ends = np.full((*scale.shape, 1), np.inf)
            edges = np.concatenate([-ends, edges, ends], axis=-1)
            count, total, square = (np.diff(part, axis=-1) for part in self.below(edges))
            return np.asarray((square - 2 * values * total + values**2 * count).sum(-1))
        low, high = scale * first, scale * (first + levels - 1)
        (n0, s0, q0), (n1, s1, q1) = self.below(low), self.below(high)
        n2, s2, q2 = (part[:, -1:] for part in self._sums)
        beneath = q0 - 2 * low * s0 + low**2 * n0
        above = (q2 - q1) - 2 * high * (s2 - s1) + high**2 * (n2 - n1)
        return np.asarray(beneath + above + scale**2 / 12 * (n1 - n0))
