"""Ranges that hold everything seen, or the average of what batches held."""

from __future__ import annotations

from collections.abc import Sequence

from octavo.num.formats import ActivationFormat
from octavo.num.statistics import Range
from octavo.quant.statistics import TensorStatistics

__all__ = ["minmax", "moving_average"]


def minmax(statistics: Sequence[TensorStatistics], format: ActivationFormat) -> list[Range]:
    """Smallest and largest value: nothing is clipped, and one outlier sets the step of all."""
    return [entry.minmax.range for entry in statistics]


def moving_average(statistics: Sequence[TensorStatistics], format: ActivationFormat) -> list[Range]:
    """The extremes of 16 samples, averaged (Jacob et al. 2018, section 3.1): one outlier weighs one window."""
    return [entry.average.range for entry in statistics]
