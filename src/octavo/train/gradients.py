"""Gradients that are scaled on their way back."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["scaled_gradient"]


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, share: float) -> torch.Tensor:
        ctx.share = share
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0] * ctx.share, None


def scaled_gradient(x: torch.Tensor, share: float | torch.Tensor) -> torch.Tensor:
    """``x``, whose gradient is multiplied by ``share``."""
    result: torch.Tensor = _Scaled.apply(x, share)  # type: ignore[no-untyped-call]
    return result
