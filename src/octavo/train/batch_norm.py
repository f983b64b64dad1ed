"""Batch norm that stays alive in training: statistics of every batch, and its fold into the integers at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import distributed, nn

from octavo.ir.graph import Array, Moments
from octavo.num.qparams import QParams

__all__ = ["LiveBatchNorm", "fold"]

_EPSILON = 1e-5
_MOMENTUM = 0.1


class LiveBatchNorm(nn.Module):
    """Batch norm over the last axis, in place of a layer's bias.

    Octavo's graphs hold batch norms folded, and with them the mean m and standard deviation d of the layer's output that
    training knew (``Graph.moments``). So the layer's sum u without its bias b has the mean m - b and the deviation d, and
    d (u - (m - b)) / d + m is what the folded layer gave: it starts there, and the statistics live on.

    In training the batch's own statistics count, of all processes together where several train one network, and the
    running ones follow. After ``freeze`` the running ones count.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    frozen: torch.Tensor

    def __init__(self, moments: Moments, bias: Array) -> None:
        super().__init__()
        mean, deviation = (torch.from_numpy(np.array(part, np.float32)) for part in moments)
        variance = deviation.square()
        self.gamma = nn.Parameter(torch.sqrt(variance + _EPSILON))
        self.beta = nn.Parameter(mean.clone())
        self.register_buffer("mean", mean - torch.from_numpy(np.array(bias, np.float32)))
        self.register_buffer("variance", variance)
        self.register_buffer("frozen", torch.tensor(False))

    def freeze(self) -> None:
        """From now on the running statistics count, in training too."""
        self.frozen.fill_(True)

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """Normalised sums [N, ..., C]."""
        if self.training and not bool(self.frozen):
            mean, variance = self._of_batch(u)
        else:
            mean, variance = self.mean, self.variance
        return (u - mean) * (self.gamma * torch.rsqrt(variance + _EPSILON)) + self.beta

    def _of_batch(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of each channel over the batch, of which the running ones take a share."""
        axes = tuple(range(u.ndim - 1))
        count = u.numel() // u.shape[-1]
        if _several():
            sums = _AllReduced.apply(torch.stack([u.sum(axes), u.square().sum(axes)]))  # type: ignore[no-untyped-call]
            count *= distributed.get_world_size()
            mean = sums[0] / count
            variance = (sums[1] / count - mean.square()).clamp_min(0)
        else:
            variance, mean = torch.var_mean(u, axes, correction=0)
        with torch.no_grad():
            unbiased = variance * (count / max(count - 1, 1))
            self.mean.lerp_(mean, _MOMENTUM)
            self.variance.lerp_(unbiased, _MOMENTUM)
        return mean, variance

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
    factor is zero gets integers of zero.
    """
    factor = norm.factor().double().cpu().numpy()
    shape = [1] * integers.ndim
    shape[axis] = factor.size
    signed = integers * np.sign(factor).astype(np.int8).reshape(shape)
    magnitude = np.where(factor == 0, 1.0, np.abs(factor))
    scale = (encoding.scale.astype(np.float64) * magnitude).astype(np.float32)
    return replace(encoding, scale=scale), signed, norm.shift().double().cpu().numpy()


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


class _AllReduced(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total
