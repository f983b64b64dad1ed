"""Ranges that leave out a fixed share of the values at each end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from octavo.num.formats import ActivationFormat
from octavo.num.histogram import BINS
from octavo.num.statistics import Range
from octavo.quant.statistics import TensorStatistics, densities

__all__ = ["percentile"]


def percentile(statistics: Sequence[TensorStatistics], format: ActivationFormat, percent: float = 99.99) -> list[Range]:
    """The ``100 - percent``-th and the ``percent``-th percentile of each tensor, zeros counted.

    Where outliers are noise it helps much; where they carry the answer (a classifier's logits) it hurts. A tensor of
    nothing but zeros keeps (0, 0), one without a histogram its extremes.
    """
    known = densities(statistics)
    counts = known.counts.copy()
    counts[:, BINS // 2] += known.zeros
    below = np.cumsum(counts, axis=1)
    left = -known.reach[:, None] + known.width[:, None] * np.arange(BINS + 1)
    total = np.maximum(below[:, -1:], 1.0)
    lower = (below > (1 - percent / 100) * total).argmax(1)
    upper = (below >= percent / 100 * total).argmax(1) + 1
    rows = np.arange(len(below))
    low = np.maximum(left[rows, lower], known.low)
    high = np.minimum(left[rows, upper], known.high)
    known_none = known.total + known.zeros == 0
    low, high = np.where(known_none, known.low, low), np.where(known_none, known.high, high)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
