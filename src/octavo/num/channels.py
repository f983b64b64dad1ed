"""Streaming statistics of each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["ChannelMoments"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelMoments:
    """Extremes, mean and mean square of each index along the last axis, float64 [C]; ``count`` values a channel."""

    count: int
    low: Vector
    high: Vector
    mean: Vector
    square: Vector

    @staticmethod
    def of(rows: torch.Tensor) -> ChannelMoments:
        """Of rows [N, C]."""
        wide = rows.float()
        low, high = torch.aminmax(wide, dim=0)
        ones = torch.full((1, len(wide)), 1 / len(wide), dtype=torch.float32, device=wide.device)
        mean, square = (ones @ wide)[0], (ones @ (wide * wide))[0]
        vectors = (part.cpu().double().numpy() for part in (low, high, mean, square))
        return ChannelMoments(len(rows), *vectors)

    def merge(self, other: ChannelMoments) -> ChannelMoments:
        """Both together."""
        share = other.count / (self.count + other.count)
        return ChannelMoments(
            self.count + other.count,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.mean + share * (other.mean - self.mean),
            self.square + share * (other.square - self.square),
        )

    @property
    def variance(self) -> Vector:
        """Of each channel."""
        return np.asarray(np.maximum(self.square - self.mean**2, 0.0))
