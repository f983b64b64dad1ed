"""Weights on their way from real numbers to levels: two ways to learn which level each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from octavo.ir.graph import Array
from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.quant.rounding.levels import brackets, group_factors, nearest_level, scale_of
from octavo.quant.rounding.windows import Layout

__all__ = ["RELAXATIONS", "Relaxed", "soft_weights", "straight_weights"]

_STRETCH = (-0.1, 1.1)
_INSIDE = 0.45


class Relaxed(Protocol):
    """One layer's weights as a differentiable function of ``v``; all [groups, outputs, width]."""

    @property
    def v(self) -> torch.Tensor:
        """What is learned."""

    def weights(self) -> torch.Tensor:
        """The weights in training, as the operator takes them."""

    def rounded(self) -> torch.Tensor:
        """The weights if rounded now, as the operator takes them."""

    def integers(self) -> Array:
        """The same as int8."""

    def undecided(self, beta: float) -> torch.Tensor:
        """A term that is 0 where every weight is at a level."""


@dataclass(frozen=True, eq=False)
class _Soft:
    """``lower`` + h (``upper`` - ``lower``) in units of ``scale`` (Nagel et al. 2020, AdaRound).

    h = clip(1.2 sigmoid(v) - 0.1, 0, 1) is the rectified sigmoid of Louizos et al. 2018.
    """

    layout: Layout
    scale: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor
    v: torch.Tensor

    def _share(self) -> torch.Tensor:
        low, high = _STRETCH
        return torch.clamp(torch.sigmoid(self.v) * (high - low) + low, 0, 1)

    def weights(self) -> torch.Tensor:
        return self.layout.weights((self.lower + self._share() * (self.upper - self.lower)) * self.scale)

    def _levels(self) -> torch.Tensor:
        return torch.where(self._share().detach() >= 0.5, self.upper, self.lower)

    def rounded(self) -> torch.Tensor:
        return self.layout.weights(self._levels() * self.scale)

    def integers(self) -> Array:
        return _stored(self.layout, self._levels())

    def undecided(self, beta: float) -> torch.Tensor:
        """Mean of 1 - |2 h - 1|^beta."""
        return (1 - (2 * self._share() - 1).abs().pow(beta)).mean()


class _Nearest(torch.autograd.Function):
    """The nearest level, its gradient passed straight through (Bengio et al. 2013)."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor, encoding: QParams, factors: torch.Tensor | None) -> torch.Tensor:
        return nearest_level(encoding, factors)(v, 0)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return gradients[0], None, None


@dataclass(frozen=True, eq=False)
class _Straight:
    """The level nearest to ``v``, in units of ``scale``: what is trained is what the integer network computes."""

    layout: Layout
    scale: torch.Tensor
    encoding: QParams
    factors: torch.Tensor | None
    v: torch.Tensor

    def _levels(self) -> torch.Tensor:
        levels: torch.Tensor = _Nearest.apply(self.v, self.encoding, self.factors)  # type: ignore[no-untyped-call]
        return levels

    def weights(self) -> torch.Tensor:
        return self.layout.weights(self._levels() * self.scale)

    def rounded(self) -> torch.Tensor:
        return self.weights().detach()

    def integers(self) -> Array:
        return _stored(self.layout, self._levels().detach())

    def undecided(self, beta: float) -> torch.Tensor:
        """Nothing is."""
        return torch.zeros((), device=self.v.device)


def _stored(layout: Layout, levels: torch.Tensor) -> Array:
    return np.asarray(layout.weights(levels).cpu().numpy().astype(np.int8))


def soft_weights(quantized: Quantized, layout: Layout, device: torch.device) -> Relaxed:
    """Weights between two levels: the present one and its neighbour on the side of the real weight.

    h starts where the real weight is, but not beyond the middle: rounded at once it gives the present integers.
    """
    encoding, scale, factors, real, present = _start(quantized, layout)
    lower, upper = brackets(present + 0.25 * torch.sign(real - present), encoding, factors)
    share = _inside(real, present, lower, upper)
    low, high = _STRETCH
    v = torch.logit((share - low) / (high - low))
    parts = (part.float().to(device) for part in (scale, lower, upper, v))
    soft = _Soft(layout, *parts)
    soft.v.requires_grad_(True)
    return soft


def straight_weights(quantized: Quantized, layout: Layout, device: torch.device) -> Relaxed:
    """Weights at the level nearest to v, which starts in the present level's cell, as near the real weight as it can.

    Unlike soft weights they may go further than to a neighbour.
    """
    encoding, scale, factors, real, present = _start(quantized, layout)
    lower, upper = brackets(present + 0.25 * torch.sign(real - present), encoding, factors)
    v = lower + _inside(real, present, lower, upper) * (upper - lower)
    v, scale = v.float().to(device), scale.float().to(device)
    factors = None if factors is None else factors.float().to(device)
    return _Straight(layout, scale, encoding, factors, v.requires_grad_(True))


def _start(
    quantized: Quantized, layout: Layout
) -> tuple[QParams, torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
    """Encoding, scale, group factors, real weights and present levels, both in units of the scale."""
    name = layout.node.inputs[1]
    encoding = quantized.plan.qparams[name]
    scale, factors = scale_of(encoding, layout), group_factors(encoding, layout)
    real = layout.matrix(torch.from_numpy(quantized.graph.consts[name].astype(np.float64))) / scale
    present = layout.matrix(torch.from_numpy(quantized.integers(name).astype(np.float64)))
    return encoding, scale, factors, real, present


def _inside(real: torch.Tensor, present: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """Where ``real`` lies between the two levels, 0 to 1, on the present one's side of the middle."""
    share = (real - lower) / (upper - lower)
    return torch.where(present == lower, share.clamp(0, _INSIDE), share.clamp(1 - _INSIDE, 1))


RELAXATIONS = {"soft": soft_weights, "straight-through": straight_weights}
"""By name."""
