"""Ranges by relative entropy, as TensorRT's calibrator sets them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.num.formats import ActivationFormat
from octavo.num.histogram import BINS
from octavo.num.statistics import Range
from octavo.quant.ranges.mse import mse
from octavo.quant.statistics import TensorStatistics, densities

__all__ = ["kl", "relative_entropy"]

Vector = NDArray[np.float64]
_STEP = 16


def kl(statistics: Sequence[TensorStatistics], format: ActivationFormat) -> list[Range]:
    """The symmetric clip that loses the least information between the values and their levels (Migacz 2017).

    The histogram of |x| without zeros, 2,048 bins, is cut at 128, 144, ... 2,048 bins; what lies above is counted into
    the last bin; the distribution P so made is compared with Q, its 128 levels (8 of 4 bits) each spread evenly over
    the level's bins that are not empty. The cut with the least KL(P, Q) is the clip, at most the largest value seen. A
    tensor without negative values keeps 0 as its low end, and where the format then has twice the levels, so has Q.

    int16 activations have more levels than the histogram has bins: theirs are set by mse.
    """
    if format.dtype == "int16":
        return mse(statistics, format)
    known = densities(statistics)
    half = BINS // 2
    magnitudes = known.counts[:, half:] + known.counts[:, :half][:, ::-1]
    one_sided = (known.low >= 0) & (format.narrow or not format.symmetric)
    clips = np.zeros(len(magnitudes))
    half_levels = 2 ** (format.width - 1)
    for levels, chosen in ((half_levels, ~one_sided), (2 * half_levels, one_sided)):
        if chosen.any():
            cuts = np.arange(levels, half + 1, _STEP)
            best = cuts[relative_entropy(magnitudes[chosen], cuts, levels).argmin(1)]
            clips[chosen] = best * known.width[chosen]
    peak = np.maximum(-known.low, known.high)
    clips = np.where(known.total > 0, np.minimum(clips, peak), peak)
    low, high = np.maximum(-clips, known.low), np.minimum(clips, known.high)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def relative_entropy(counts: Vector, cuts: NDArray[np.int64], levels: int) -> Vector:
    """KL(P, Q) in nats, [T, cuts], for counts [T, bins]; all tensors and cuts at once, by cumulative sums.

    A level whose bins are all empty under P's last bin counts as a billionth of everything; a cut below all values has
    an infinite divergence.
    """
    total = np.maximum(counts.sum(1), 1e-300)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(counts > 0, counts * np.log(counts), 0.0)
    sums, filled, entropies = (
        np.pad(np.cumsum(part, axis=1), ((0, 0), (1, 0))) for part in (counts, (counts > 0).astype(float), entropy)
    )
    last = counts[:, cuts - 1]
    outside = total - sums[:, cuts]
    top = last + outside
    with np.errstate(divide="ignore", invalid="ignore"):
        p_log_p = entropies[:, cuts - 1] + np.where(top > 0, top * np.log(top), 0.0)
    edges = -(-np.arange(levels + 1)[None, :] * cuts[:, None] // levels)
    q = np.maximum(np.diff(sums[:, edges], axis=2), 1e-9 * total[..., None])
    spread = np.diff(filled[:, edges], axis=2)
    spread[:, :, -1] += (last == 0) & (outside > 0)
    spread = np.maximum(spread, 1.0)
    p = np.diff(sums[:, edges], axis=2)
    p[:, :, -1] += outside
    inside = np.maximum(sums[:, cuts], 1e-9 * total)
    cross = (p * np.log(q / spread)).sum(2) - total * np.log(inside)
    found = (p_log_p - total * np.log(total) - cross) / total
    return np.where(sums[:, cuts] > 0, found, np.inf)
