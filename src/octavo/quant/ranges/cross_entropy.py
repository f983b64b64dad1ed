"""The range of a classifier's logits that keeps its answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from octavo.num.formats import ActivationFormat
from octavo.num.statistics import Range
from octavo.quant.ranges.mse import mse
from octavo.quant.statistics import TensorStatistics

__all__ = ["cross_entropy"]

_CHUNK = 2**24


def cross_entropy(statistics: Sequence[TensorStatistics], format: ActivationFormat) -> list[Range]:
    """For the network's logits (its outputs, or what a final softmax reads) the clip with the least cross-entropy
    between softmax of float and of quantized logits (Nagel et al. 2021, section 3.1): only the order of a few large
    logits matters. All else by ``mse``.
    """
    ranges = mse(statistics, format)
    for index, entry in enumerate(statistics):
        if entry.samples is not None and entry.samples.shape[-1] > 1:
            ranges[index] = _of_logits(entry.samples, entry.minmax.range, format)
    return ranges


def _of_logits(logits: torch.Tensor, extremes: Range, format: ActivationFormat) -> Range:
    """All clips of both ends at once, in slices of bounded memory."""
    low, high = min(extremes[0], 0.0), max(extremes[1], 0.0)
    if high <= low:
        return extremes
    shares = np.linspace(0.2, 1.0, 33)
    a, b = (part.reshape(-1) for part in np.meshgrid(shares * low, shares * high, indexing="ij"))
    if format.symmetric:
        _, top = format.integers(False)
        peak = max(-low, high)
        steps = np.exp2(np.ceil(np.log2(peak / top)) - np.arange(5)) if format.power_of_two else peak * shares / top
        a, b, levels, scale, first = -steps * top, steps * top, 2 * top + 1, steps, np.full(len(steps), -top)
    else:
        levels = 2**format.width
        scale = (b - a) / (levels - 1)
        first = np.clip(np.rint(a / scale), 1 - levels, 0)
    target = torch.log_softmax(logits.double(), -1)
    losses: list[torch.Tensor] = []
    step = max(1, _CHUNK // logits.numel())
    for i in range(0, len(scale), step):
        s, f = (torch.from_numpy(v[i : i + step]).double()[:, None, None] for v in (scale, first))
        rounded = torch.minimum(torch.maximum(torch.round(logits.double() / s), f), f + levels - 1) * s
        losses.append(-(target.exp() * torch.log_softmax(rounded, -1)).sum(-1).mean(-1))
    best = int(torch.cat(losses).argmin())
    return float(a[best]), float(b[best])
