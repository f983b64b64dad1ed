"""Batch normalization at inference: an affine function of each channel. The passes fold it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from octavo.ir.graph import TensorType
from octavo.ops.base import Op

__all__ = ["BatchNorm"]


@dataclass(frozen=True)
class BatchNorm(Op):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, over the last axis."""

    epsilon: float = 1e-5

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, *parameters = inputs
        if len(parameters) != 4 or any(p.shape != x.shape[-1:] for p in parameters):
            raise ValueError(f"gamma, beta, mean and variance must have the {x.shape[-1]} channels of {x}")
        return (x,)

    def eval_float(  # type: ignore[override]
        self, x: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor
    ) -> torch.Tensor:
        """By its definition."""
        return (x - mean) * (gamma * torch.rsqrt(variance + self.epsilon)) + beta
