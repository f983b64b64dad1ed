"""The levels that an encoding lets weights have, for weights laid out as octavo.quant.rounding.windows does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from octavo.num.levels import All, Grouped, PowersOfTwo
from octavo.num.qparams import QParams
from octavo.quant.rounding.windows import Layout

__all__ = ["brackets", "group_factors", "nearest_level", "scale_of"]


def scale_of(encoding: QParams, layout: Layout) -> torch.Tensor:
    """The scale as [groups, outputs, 1], or [1, 1, 1] per tensor."""
    scale = torch.from_numpy(encoding.scale.astype(np.float64))
    return scale.reshape(1, 1, 1) if scale.numel() == 1 else scale.reshape(layout.groups, layout.outputs, 1)


def nearest_level(encoding: QParams, factors: torch.Tensor | None) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """The nearest level of column j in units of the scale."""
    levels = encoding.levels
    if isinstance(levels, PowersOfTwo):
        top = float(np.log2(levels.peak))

        def power(x: torch.Tensor, column: int) -> torch.Tensor:
            size = x.abs()
            exponent = torch.floor(torch.log2((size * (4 / 3)).clamp_min(1e-30))).clamp(0, top)
            return torch.where(size < 0.5, 0.0, torch.exp2(exponent)) * torch.sign(x)

        return power
    if isinstance(levels, Grouped) and factors is not None:
        peak = 2 ** (levels.bits - 1) - 1

        def grouped(x: torch.Tensor, column: int) -> torch.Tensor:
            factor = factors[:, :, column] if x.ndim == 2 else factors
            return torch.clamp(torch.round(x / factor), -peak, peak) * factor

        return grouped
    low, high = encoding.limits if isinstance(levels, All) else (-levels.peak, levels.peak)  # type: ignore[union-attr]
    return lambda x, column: torch.clamp(torch.round(x), low, high)


def group_factors(encoding: QParams, layout: Layout) -> torch.Tensor | None:
    """The group factor of every weight, [groups, outputs, width]."""
    if not isinstance(encoding.levels, Grouped):
        return None
    spread = np.repeat(encoding.levels.factors, encoding.levels.size, axis=1)[:, : layout.width]
    return torch.from_numpy(spread.astype(np.float64)).reshape(layout.groups, layout.outputs, layout.width)


def brackets(x: torch.Tensor, encoding: QParams, factors: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The levels on both sides of ``x`` (in units of the scale), lower below upper; at the ends the two last ones."""
    levels = encoding.levels
    if isinstance(levels, PowersOfTwo):
        size = x.abs().clamp(max=levels.peak)
        lower = torch.where(size < 1, 0.0, torch.exp2(torch.floor(torch.log2(size.clamp_min(1)))))
        lower = torch.where(lower == levels.peak, levels.peak // 2, lower)
        upper = torch.where(lower == 0, 1.0, 2 * lower)
        return torch.where(x < 0, -upper, lower), torch.where(x < 0, -lower, upper)
    if isinstance(levels, Grouped) and factors is not None:
        peak = 2 ** (levels.bits - 1) - 1
        lower = torch.floor(x / factors).clamp(-peak, peak - 1)
        return lower * factors, (lower + 1) * factors
    low, high = encoding.limits if isinstance(levels, All) else (-levels.peak, levels.peak)  # type: ignore[union-attr]
    lower = torch.floor(x).clamp(low, high - 1)
    return lower, lower + 1
