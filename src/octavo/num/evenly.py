"""Some of many samples, so that data in any order (by class, by time) stay represented."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["evenly"]


def evenly(total: int, count: int) -> NDArray[np.int64]:
    """The places of ``count`` of ``total`` samples at even distances, in order; all of them when there are fewer."""
    count = min(count, total)
    return np.arange(count) * total // max(count, 1)
