"""Batch norm that stays alive in training: statistics of every batch, and its fold into the integers at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import distributed, nn

from octavo.ir.graph import Array, Moments
from octavo.num.qparams import QParams
from octavo.train.processes import several, summed

__all__ = ["LiveBatchNorm", "fold"]

_EPSILON = 1e-5
_MOMENTUM = 0.1
_VANISHING = 1e-12


class LiveBatchNorm(nn.Module):
    """Batch norm over the last axis, in place of a layer's bias.

    Octavo's graphs hold batch norms folded, and with them the mean m and standard deviation d of the layer's output
    that training knew (``Graph.moments``). So the layer's sum u without its bias b has the mean m - b and the deviation
    d, and d (u - (m - b)) / d + m is what the folded layer gave: it starts there, and the statistics live on. With a
    ``corrected`` bias it starts at what that gives.

    In training the batch's own statistics count, of all processes together where several train one network, and the
    running ones follow. After ``freeze`` the running ones count.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    frozen: torch.Tensor

    def __init__(self, moments: Moments, bias: Array, corrected: Array) -> None:
        super().__init__()
        of_output, deviation = moments
        mean = torch.from_numpy(np.array(of_output - bias, np.float32))
        variance = torch.from_numpy(np.array(np.square(deviation), np.float32))
        self.gamma = nn.Parameter(torch.sqrt(variance + _EPSILON))
        self.beta = nn.Parameter(mean + torch.from_numpy(np.array(corrected, np.float32)))
        self.register_buffer("mean", mean)
        self.register_buffer("variance", variance)
        self.register_buffer("frozen", torch.tensor(False))

    def freeze(self) -> None:
        """From now on the running statistics count, in training too."""
        self.frozen.fill_(True)

    def forward(self, u: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Normalised sums [N, ..., C]; ``step`` [C] or [1] is that of the sums' integers.

        Where running statistics count, what is added to the sums is rounded as the folded bias will be.
        """
        live = self.training and not bool(self.frozen)
        if live and several():
            return self._over_processes(u)
        beta: torch.Tensor = self.beta
        if not live:
            with torch.no_grad():
                folded = self.shift() / (step * self.factor().abs())
                correction = (torch.round(folded) - folded) * step * self.factor().abs()
            beta = beta + torch.nan_to_num(correction)
        y = nn.functional.batch_norm(
            u.movedim(-1, 1), self.mean, self.variance, self.gamma, beta, live, _MOMENTUM, _EPSILON
        )
        return y.movedim(1, -1)

    def _over_processes(self, u: torch.Tensor) -> torch.Tensor:
        """The same with the statistics of all processes' batches, which are of one size."""
        axes = tuple(range(u.ndim - 1))
        count = u.numel() // u.shape[-1] * distributed.get_world_size()
        mean = summed(u.sum(axes)) / count
        variance = summed((u - mean).square().sum(axes)) / count
        with torch.no_grad():
            self.mean.lerp_(mean, _MOMENTUM)
            self.variance.lerp_(variance * (count / max(count - 1, 1)), _MOMENTUM)
        normalised: torch.Tensor = (u - mean) * torch.rsqrt(variance + _EPSILON)
        return normalised * self.gamma + self.beta

    @torch.no_grad()
    def factor(self) -> torch.Tensor:
        """What the layer's sums are multiplied by when it is folded, [C]."""
        return self.gamma * torch.rsqrt(self.variance + _EPSILON)

    @torch.no_grad()
    def shift(self) -> torch.Tensor:
        """What is then added, [C]."""
        return self.beta - self.mean * self.factor()


@torch.no_grad()
def fold(norm: LiveBatchNorm, encoding: QParams, integers: Array, axis: int) -> tuple[QParams, Array, Array]:
    """The layer's encoding, integers and bias with the batch norm in them.

    A channel's factor goes into its scale, its sign into its integers: they stay what training saw. A channel whose
    factor vanishes gets integers of zero.
    """
    factor = norm.factor().double().cpu().numpy()
    factor = np.where(np.abs(factor) < _VANISHING, 0.0, factor)
    shape = [1] * integers.ndim
    shape[axis] = factor.size
    signed = integers * np.sign(factor).astype(np.int8).reshape(shape)
    magnitude = np.where(factor == 0, 1.0, np.abs(factor))
    scale = (encoding.scale.astype(np.float64) * magnitude).astype(np.float32)
    return replace(encoding, scale=scale), signed, norm.shift().double().cpu().numpy()
