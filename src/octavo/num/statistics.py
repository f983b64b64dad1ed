"""Streaming statistics of a tensor: each sees batch after batch, keeps a bounded state, and can be merged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["STATISTICS", "MinMax", "MovingAverage", "Range", "Statistic"]

Range = tuple[float, float]


class Statistic(Protocol):
    """What calibration needs of a statistic; values are immutable."""

    def update(self, batch: torch.Tensor) -> Statistic:
        """The statistic with the samples of ``batch`` [N, ...] added."""
        ...

    @property
    def range(self) -> Range:
        """The (low, high) that it recommends."""
        ...


def _extremes(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    flat = batch.detach().reshape(batch.shape[0], -1)
    low, high = torch.aminmax(flat, dim=1)
    return low.double(), high.double()


@dataclass(frozen=True)
class MinMax:
    """Smallest and largest value seen. NaN, once seen, stays."""

    low: float = math.inf
    high: float = -math.inf

    def update(self, batch: torch.Tensor) -> MinMax:
        """With another batch."""
        low, high = torch.aminmax(batch.detach())
        return self.merge(MinMax(float(low), float(high)))

    def merge(self, other: MinMax) -> MinMax:
        """Both together."""
        if math.isnan(other.low) or math.isnan(self.low):
            return MinMax(math.nan, math.nan)
        return MinMax(min(self.low, other.low), max(self.high, other.high))

    @property
    def range(self) -> Range:
        """(low, high)."""
        return self.low, self.high


@dataclass(frozen=True)
class MovingAverage:
    """Exponential moving average of each sample's minimum and maximum, whatever the batch size.

    The average of n samples starts as their plain mean and forgets with ``momentum`` once 1 / n falls below it
    (Jacob et al. 2018 use an exponential moving average while training).
    """

    momentum: float = 0.05
    low: float = 0.0
    high: float = 0.0
    count: int = 0

    def update(self, batch: torch.Tensor) -> MovingAverage:
        """With another batch, sample by sample."""
        lows, highs = _extremes(batch)
        low, high, count = self.low, self.high, self.count
        for sample_low, sample_high in zip(lows.tolist(), highs.tolist(), strict=True):
            count += 1
            rate = max(self.momentum, 1 / count)
            low += rate * (sample_low - low)
            high += rate * (sample_high - high)
        return MovingAverage(self.momentum, low, high, count)

    def merge(self, other: MovingAverage) -> MovingAverage:
        """Both together, weighted by their samples."""
        count = self.count + other.count
        share = other.count / count if count else 0.0
        low, high = self.low + share * (other.low - self.low), self.high + share * (other.high - self.high)
        return MovingAverage(self.momentum, low, high, count)

    @property
    def range(self) -> Range:
        """The averages."""
        return self.low, self.high


STATISTICS: dict[str, Callable[[], Statistic]] = {"minmax": MinMax, "moving-average": MovingAverage}
"""Range methods by the name that users give."""
