"""Streaming statistics of a tensor: each sees batch after batch, keeps a bounded state, and can be merged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

__all__ = ["MinMax", "MovingAverage", "Range"]

Range = tuple[float, float]


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
    """Exponential moving average of the extremes of ``window`` consecutive samples, however they are batched.

    The average starts as the plain mean of the windows and forgets with ``momentum`` once 1 / windows falls below it
    (Jacob et al. 2018, section 3.1, average the extremes of training batches). One odd sample weighs one window.
    """

    window: int = 16
    momentum: float = 0.01
    low: float = 0.0
    high: float = 0.0
    windows: int = 0
    pending: MinMax = MinMax()
    pending_count: int = 0

    def update(self, batch: torch.Tensor) -> MovingAverage:
        """With another batch."""
        state = self
        while len(batch):
            room = self.window - state.pending_count
            state = state._part(batch[:room])
            batch = batch[room:]
        return state

    def _part(self, samples: torch.Tensor) -> MovingAverage:
        """With samples that fit into the current window; a full window enters the average."""
        pending, count = self.pending.update(samples), self.pending_count + len(samples)
        if count < self.window:
            return replace(self, pending=pending, pending_count=count)
        windows = self.windows + 1
        low, high = self._averaged(pending, max(self.momentum, 1 / windows))
        return replace(self, low=low, high=high, windows=windows, pending=MinMax(), pending_count=0)

    def _averaged(self, extremes: MinMax, rate: float) -> Range:
        return self.low + rate * (extremes.low - self.low), self.high + rate * (extremes.high - self.high)

    def merge(self, other: MovingAverage) -> MovingAverage:
        """Both averages weighted by their windows; an unfinished window of ``other`` is dropped."""
        windows = self.windows + other.windows
        if other.windows == 0:
            return self
        low, high = self._averaged(MinMax(other.low, other.high), other.windows / windows)
        return replace(self, low=low, high=high, windows=windows)

    @property
    def range(self) -> Range:
        """The averages, an unfinished window counted by its share of samples."""
        if self.pending_count == 0:
            return self.low, self.high
        share = self.pending_count / self.window
        return self._averaged(self.pending, share / (self.windows + share))
