"""Weights with a zero_point: what they would gain. No executor computes them; docs/formats.md says why."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.quant.ranges.weights import WEIGHT_RANGES

__all__ = ["asymmetric_qparams"]

Real = NDArray[np.float64]
_SHARES = np.linspace(0.2, 1.0, 81)


def asymmetric_qparams(weights: Array, channel_axis: int, granularity: str, method: str = "minmax") -> QParams:
    """int8 with a zero_point for each channel (or the tensor), over a range that holds 0.

    ``method`` is minmax, percentile (99.9 % between the ends) or mse (of 81 shares of the range, as for symmetric
    weights). Rows of nothing but zeros get scale 1.
    """
    if method not in WEIGHT_RANGES:
        raise OctavoError(f"weight ranges {method}", "are unknown", f"Use one of {', '.join(WEIGHT_RANGES)}.")
    moved = np.moveaxis(weights.astype(np.float64), channel_axis, 0)
    rows = moved.reshape(1, -1) if granularity == "per-tensor" else moved.reshape(moved.shape[0], -1)
    tails = (0.0005, 0.9995) if method == "percentile" else (0.0, 1.0)
    low, high = (np.quantile(rows, tail, axis=1) for tail in tails)
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    if method == "mse":
        best = np.full(len(rows), np.inf)
        share = np.ones(len(rows))
        for candidate in _SHARES:
            scale, zero_point = _encoding(low * candidate, high * candidate)
            error = _error(rows, scale[:, None], zero_point[:, None])
            share, best = np.where(error < best, candidate, share), np.minimum(error, best)
        low, high = low * share, high * share
    scale, zero_point = _encoding(low, high)
    kind = PerTensor() if granularity == "per-tensor" else PerChannel(channel_axis)
    return QParams("int8", scale.astype(np.float32), zero_point.astype(np.int32), kind)


def _encoding(low: Real, high: Real) -> tuple[Real, Real]:
    """Scale and zero_point of ranges."""
    scale = (high - low) / 255
    scale = np.where(scale < np.finfo(np.float32).tiny, 1.0, scale)
    return scale, np.clip(np.rint(-128 - low / scale), -128, 127)


def _error(rows: Real, scale: Real, zero_point: Real) -> Real:
    """Squared error of every row."""
    integers = np.clip(np.rint(rows / scale) + zero_point, -128, 127)
    return np.asarray((((integers - zero_point) * scale - rows) ** 2).sum(axis=1))
