"""Weights that flip between two levels: measured, dampened or frozen (Nagel et al. 2022, Overcoming Oscillations).

Late in training the straight-through estimator drives a weight near the middle of two levels to and fro. Its integer
changes with every crossing, and so do the statistics of what follows. Depthwise layers of few weights suffer most.
"""

from __future__ import annotations

import torch
from torch import nn

from octavo.train.module import Trainable
from octavo.train.weights import TrainedWeight

__all__ = ["OSCILLATES", "Oscillations", "dampening"]

OSCILLATES = 0.005
"""A weight oscillates when it turns back in more than this share of the steps (the paper's section 2.3)."""

_MOMENTUM = 0.01


class _Watched(nn.Module):
    """The integers of one layer: where they are, which way they went last, and how often they turned."""

    integers: torch.Tensor
    direction: torch.Tensor
    frequency: torch.Tensor
    average: torch.Tensor
    frozen: torch.Tensor
    width: torch.Tensor

    def __init__(self, weight: TrainedWeight) -> None:
        super().__init__()
        now = weight.integers()
        self.register_buffer("integers", now.clone())
        self.register_buffer("direction", torch.zeros_like(now))
        self.register_buffer("frequency", torch.zeros_like(now))
        self.register_buffer("average", now.clone())
        self.register_buffer("frozen", torch.zeros_like(now, dtype=torch.bool))
        self.register_buffer("width", torch.tensor(weight.width))

    def update(self, weight: TrainedWeight, threshold: float | None) -> None:
        now = weight.integers()
        if int(self.width) != weight.width:
            # Other bits are other integers: where it was and which way it went says nothing any more.
            self.width.fill_(weight.width)
            self.integers.copy_(now)
            self.average.copy_(now)
            self.direction.zero_()
        direction = torch.sign(now - self.integers)
        turned = (direction * self.direction) < 0
        self.frequency.lerp_(turned.to(now.dtype), _MOMENTUM)
        self.average.lerp_(now, _MOMENTUM)
        self.direction.copy_(torch.where(direction == 0, self.direction, direction))
        self.integers.copy_(now)
        if threshold is not None:
            self.frozen |= self.frequency > threshold
            # The level where it was most of the time.
            held = weight.nearest(self.average) * weight.scale()
            weight.master.copy_(torch.where(self.frozen, held, weight.master))


class Oscillations(nn.Module):
    """Watches a module's weights; call ``update`` after every step of the optimizer.

    With ``freeze``, a share of the steps, weights that turn back more often are held at the level where they were most.
    Its state is that of a module, for checkpoints.
    """

    def __init__(self, module: Trainable, freeze: float | None = None) -> None:
        super().__init__()
        self.freeze = freeze
        self.layers = nn.ModuleList(_Watched(weight) for weight in module.trained_weights())

    @torch.no_grad()
    def update(self, module: Trainable) -> None:
        """Take the present integers into account."""
        for watched, weight in zip(self.layers, module.trained_weights(), strict=True):
            assert isinstance(watched, _Watched)
            watched.update(weight, self.freeze)

    def shares(self) -> list[float]:
        """By layer the share of its weights that oscillate."""
        found = [watched.frequency for watched in self.layers if isinstance(watched, _Watched)]
        return [float((frequency > OSCILLATES).float().mean()) for frequency in found]

    def frozen(self) -> list[float]:
        """By layer the share of its weights that are held."""
        return [float(watched.frozen.float().mean()) for watched in self.layers if isinstance(watched, _Watched)]


def dampening(module: Trainable) -> torch.Tensor:
    """A term of the loss that pulls weights to the middle of their levels, 0-d; clipped weights are left alone.

    The sum over layers of |w_hat - clip(w)|^2 (the paper's equation 6), in steps of each weight's scale.
    """
    terms = []
    for weight in module.trained_weights():
        scale = weight.scale().detach()
        ratio = weight.master / scale
        level = weight.nearest(ratio.detach())
        inside = (ratio.detach().abs() <= (weight.peak + 0.5) * weight.factors).to(ratio.dtype)
        terms.append(((level - ratio) * inside).square().sum())
    return torch.stack(terms).sum()
