"""What calibration keeps of an activation: everything that range methods, equalization and correction read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from octavo.num.channels import ChannelMoments
from octavo.num.histogram import Densities, Histogram
from octavo.num.statistics import MinMax, MovingAverage

__all__ = ["TensorStatistics", "densities", "spread"]

MAX_PIXELS = 2048
MAX_SAMPLES = 4096
MAX_KEPT = 2**24


@dataclass(frozen=True, eq=False)
class TensorStatistics:
    """Streaming statistics of one tensor; bounded, and merged in any order.

    ``minmax`` and ``average`` see every value. ``histogram`` and ``channels`` (of the last axis) see at most 2,048
    pixels of each sample, evenly spread; they are None when only extremes were asked for. ``samples`` are raw rows
    [N, classes] of an output or of its logits, at most 4,096 and 2^24 numbers.
    """

    minmax: MinMax = MinMax()
    average: MovingAverage = MovingAverage()
    histogram: Histogram | None = None
    channels: ChannelMoments | None = None
    samples: torch.Tensor | None = None

    def update(self, batch: torch.Tensor, detail: bool = True, keep: bool = False) -> TensorStatistics:
        """With another batch [N, ..., C]."""
        seen = replace(self, minmax=self.minmax.update(batch), average=self.average.update(batch))
        if not detail:
            return seen
        rows = spread(batch)
        channels = ChannelMoments.of(rows)
        histogram = (self.histogram or Histogram()).update(rows)
        seen = replace(seen, histogram=histogram, channels=self.channels.merge(channels) if self.channels else channels)
        return replace(seen, samples=_kept(self.samples, batch)) if keep else seen


def spread(batch: torch.Tensor) -> torch.Tensor:
    """Rows [N * pixels, C]: every pixel of a small image, 2,048 evenly spread ones of a large one."""
    rows = batch.reshape(len(batch), -1, batch.shape[-1]) if batch.ndim > 1 else batch.reshape(-1, 1, 1)
    pixels = rows.shape[1]
    if pixels > MAX_PIXELS:
        rows = rows[:, torch.arange(MAX_PIXELS, device=batch.device) * pixels // MAX_PIXELS]
    return rows.reshape(-1, rows.shape[-1])


def _kept(before: torch.Tensor | None, batch: torch.Tensor) -> torch.Tensor:
    rows = batch.reshape(len(batch), -1).cpu().clone()
    limit = min(MAX_SAMPLES, max(1, MAX_KEPT // rows.shape[1]))
    return rows[:limit] if before is None else torch.cat([before, rows])[:limit]


def densities(statistics: Sequence[TensorStatistics]) -> Densities:
    """The histograms of several tensors, at least one, as densities."""
    return Densities([entry.histogram or Histogram() for entry in statistics], [e.minmax.range for e in statistics])
