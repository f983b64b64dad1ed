"""Scales as parameters: the logarithm of a factor on the scale that quantization found, 0 at the start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.train.fake import rounded

__all__ = ["learned_scale", "power_of_two", "with_share"]

_LN2 = math.log(2)


def power_of_two(scale: NDArray[np.float32]) -> bool:
    """Whether all scales are powers of two."""
    return bool(np.all(np.frexp(scale)[0] == 0.5))


class _Share(torch.autograd.Function):
    """The same; its gradient times a share, at most 1."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(share)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (share,) = ctx.saved_tensors
        return (gradients[0] * share).clamp(-1, 1), None


def with_share(x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """``x``, whose gradient is multiplied by ``share`` and clipped to [-1, 1]."""
    result: torch.Tensor = _Share.apply(x, share)  # type: ignore[no-untyped-call]
    return result


def learned_scale(
    start: torch.Tensor, log_factor: torch.Tensor, powers: bool, shared: float, peak: int
) -> torch.Tensor:
    """``start`` times exp(``log_factor``), or with ``powers`` times the nearest power of two (Jain et al. 2020, TQT).

    The gradient is multiplied so that a step of gradient descent is LSQ's. LSQ steps a scale s, which ``shared``
    numbers have in common, by 1 / sqrt(shared peak) of its gradient (Esser et al. 2020, section 2.2). A step of log s
    is one of s divided by s, and its gradient is that of s times s: hence 1 / s^2, where LSQ's s is 2 mean |x| /
    sqrt(peak). Ours spans the range; with a range of four deviations LSQ's is sqrt(peak) / 2 times as large. The
    gradient is clipped to 1: a step of rate r changes no scale by more than exp(r).
    """
    if not log_factor.requires_grad:
        return _scaled(start, log_factor, powers)
    with torch.no_grad():
        scale = _scaled(start, log_factor, powers)
        share = 4 / (peak * math.sqrt(shared * peak) * scale.square())
    return _scaled(start, with_share(log_factor, share), powers)


def _scaled(start: torch.Tensor, log_factor: torch.Tensor, powers: bool) -> torch.Tensor:
    if powers:
        return start * torch.exp2(rounded(log_factor / _LN2))
    return start * torch.exp(log_factor)
