"""Learned scales of activations: fake quantization with a gradient for its scale (Esser et al. 2020, LSQ)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from octavo.ir.plan import QuantPlan
from octavo.num.qparams import QParams

__all__ = ["LearnedScales", "learnable", "quantize_with_scale"]

_REACH = math.log(2)


class _FakeQuantize(torch.autograd.Function):
    """s clamp(round(x / s), low, high), x rounded straight through.

    d/ds is round(x / s) - x / s inside the range, low or high outside.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, scale: torch.Tensor, low: int, high: int) -> torch.Tensor:
        ratio = x * scale.reciprocal()
        levels = torch.round(ratio)
        inside = (levels >= low) & (levels <= high)
        levels = levels.clamp_(low, high)
        ctx.save_for_backward(torch.where(inside, levels - ratio, levels), inside)
        return levels * scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        slope, inside = ctx.saved_tensors
        return gradients[0] * inside, (gradients[0] * slope).sum(), None, None


def quantize_with_scale(x: torch.Tensor, scale: torch.Tensor, encoding: QParams) -> torch.Tensor:
    """Fake quantization with another scale (0-d tensor) than the encoding's, differentiable in ``x`` and ``scale``."""
    zero_point, (low, high) = int(encoding.zero_point[0]), encoding.limits
    result: torch.Tensor = _FakeQuantize.apply(x, scale, low - zero_point, high - zero_point)  # type: ignore[no-untyped-call]
    return result


def learnable(plan: QuantPlan, made: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Groups of activations, by representative, whose scale concerns nobody but the values ``made``.

    Powers of two stay as they are: they are the target's, or an operator's own encoding.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for value, root in plan.groups.items():
        members[root].append(value)
    return {
        root: tuple(values)
        for root, values in members.items()
        if set(values) <= set(made)
        and plan.qparams[values[0]].dtype != "float16"
        and float(np.frexp(plan.qparams[values[0]].scale[0])[0]) != 0.5
    }


@dataclass(frozen=True, eq=False)
class LearnedScales:
    """By value: its encoding, and the learned logarithm of the factor on its scale (at most 2, at least 1/2)."""

    encodings: dict[str, QParams]
    logs: dict[str, torch.Tensor]

    @staticmethod
    def of(plan: QuantPlan, groups: dict[str, tuple[str, ...]], device: torch.device) -> LearnedScales:
        """All factors 1; values of one group share theirs."""
        logs: dict[str, torch.Tensor] = {}
        for _, values in sorted(groups.items()):
            shared = torch.zeros((), device=device, requires_grad=True)
            logs |= dict.fromkeys(values, shared)
        return LearnedScales({value: plan.qparams[value] for value in logs}, logs)

    @property
    def parameters(self) -> list[torch.Tensor]:
        """Each learned logarithm once."""
        return list({id(log): log for log in self.logs.values()}.values())

    def quantize(self, value: str, x: torch.Tensor) -> torch.Tensor:
        """Fake quantization of a value with its learned scale."""
        encoding = self.encodings[value]
        scale = float(encoding.scale[0]) * torch.exp(self.logs[value].clamp(-_REACH, _REACH))
        return quantize_with_scale(x, scale, encoding)

    def learned(self) -> dict[str, QParams]:
        """The encodings with their learned scales, as float32."""
        found = {}
        for value, encoding in self.encodings.items():
            factor = math.exp(float(self.logs[value].detach().clamp(-_REACH, _REACH)))
            found[value] = replace(encoding, scale=(encoding.scale.astype(np.float64) * factor).astype(np.float32))
        return found
