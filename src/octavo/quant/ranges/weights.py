"""Scales of weights: symmetric, for each format and granularity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Array
from octavo.num.formats import WeightFormat
from octavo.num.levels import Grouped, Levels, Narrow, PowersOfTwo, group_factor_limit, split_groups
from octavo.num.qparams import PerChannel, PerTensor, QParams

__all__ = ["WEIGHT_RANGES", "weight_qparams"]

Real = NDArray[np.float64]
_CHUNK = 2**18
_TINY = float(np.finfo(np.float32).tiny)


def _minmax(rows: Real, levels: Narrow, power_of_two: bool) -> Real:
    """The least scale that holds the largest weight of each row."""
    peak = np.abs(rows).max(axis=1) / levels.peak
    return _up(peak) if power_of_two else peak


def _percentile(rows: Real, levels: Narrow, power_of_two: bool) -> Real:
    """The scale that holds 99.9 % of each row."""
    peak = np.quantile(np.abs(rows), 0.999, axis=1) / levels.peak
    return _up(peak) if power_of_two else peak


def _mse(rows: Real, levels: Narrow | PowersOfTwo, power_of_two: bool) -> Real:
    """The scale with the least squared error, of 81 shares of the largest weight, or of six powers of two."""
    peak = np.abs(rows).max(axis=1) / levels.peak
    if power_of_two:
        candidates = _up(peak)[:, None] * np.exp2(-np.arange(-1.0, 5.0))
    else:
        candidates = peak[:, None] * np.linspace(0.2, 1.0, 81)
    errors = _errors(rows, np.maximum(candidates, _TINY), levels)
    return np.asarray(np.take_along_axis(candidates, errors.argmin(1)[:, None], 1)[:, 0])


WEIGHT_RANGES: dict[str, Callable[[Real, Narrow, bool], Real]] = {
    "minmax": _minmax,
    "mse": _mse,
    "percentile": _percentile,
}
"""By the name that users give."""


def weight_qparams(weights: Array, format: WeightFormat, channel_axis: int, method: str = "minmax") -> QParams:
    """The encoding of weights: int8 with the levels of ``format``, zero_point 0 (Krishnamoorthi 2018, section 3.1).

    ``method`` is minmax, mse (Nagel et al. 2021) or percentile (99.9). Weights of powers of two and group factors are
    always chosen by mse. A channel of nothing but zeros takes the largest scale of the others.
    """
    if method not in WEIGHT_RANGES:
        raise OctavoError(f"weight ranges {method}", "are unknown", f"Use one of {', '.join(WEIGHT_RANGES)}.")
    if format.kind == "float16":
        return QParams("float16", np.ones(1, np.float32), np.zeros(1, np.int32))
    per_tensor = format.granularity == "per-tensor"
    moved = np.moveaxis(weights.astype(np.float64), channel_axis, 0)
    rows = moved.reshape(1, -1) if per_tensor else moved.reshape(moved.shape[0], -1)
    levels: Levels
    if format.kind == "log2":
        levels = PowersOfTwo(format.bits)
        scale = _mse(rows, levels, True)
    elif format.granularity == "per-group":
        scale, levels = _grouped(weights, format, channel_axis, method)
    else:
        levels = Narrow(format.bits)
        scale = WEIGHT_RANGES[method](rows, levels, format.power_of_two)
    scale = np.where(np.abs(rows).max(axis=1) > 0, scale, 0.0)
    granularity = PerTensor() if per_tensor else PerChannel(channel_axis)
    return QParams("int8", _usable(scale), np.zeros(len(scale), np.int32), granularity, levels)


def _up(scale: Real) -> Real:
    """The least powers of two that are no smaller."""
    return np.asarray(np.exp2(np.ceil(np.log2(np.maximum(scale, _TINY)))))


def _usable(scale: Real) -> NDArray[np.float32]:
    """Vanishing scales replaced by the largest."""
    stored = scale.astype(np.float32)
    usable = stored > _TINY
    return np.where(usable, stored, stored[usable].max() if usable.any() else np.float32(1.0)).astype(np.float32)


def _errors(rows: Real, scales: Real, levels: Narrow | PowersOfTwo) -> Real:
    """Squared error of every row [R, K] under every of its scales [R, C], in pieces that fit into a core's cache."""
    height = max(1, _CHUNK // 8 // max(rows.shape[1], 1))
    step = max(1, _CHUNK // max(min(height, len(rows)) * rows.shape[1], 1))
    errors = np.empty(scales.shape)
    for top in range(0, len(rows), height):
        part = rows[top : top + height, None, :]
        for start in range(0, scales.shape[1], step):
            scale = scales[top : top + height, start : start + step, None]
            noise = levels.nearest(part / scale, None)
            noise *= scale
            noise -= part
            errors[top : top + height, start : start + step] = np.einsum("rck,rck->rc", noise, noise)
    return errors


def _grouped(weights: Array, format: WeightFormat, channel_axis: int, method: str) -> tuple[Real, Grouped]:
    """Scales of the channels and integer factors of the groups.

    The channel's scale makes the largest group's scale its largest factor; each group's factor is then the one of all
    that has the least squared error.
    """
    narrow, limit = Narrow(format.bits), group_factor_limit(format.bits)
    groups, _ = split_groups(weights.astype(np.float64), channel_axis, format.group_size)
    channels, count, size = groups.shape
    wanted = WEIGHT_RANGES[method](groups.reshape(-1, size), narrow, False).reshape(channels, count)
    scale = wanted.max(axis=1) / limit
    if format.power_of_two:
        scale = _up(scale)
    candidates = np.maximum(scale, _TINY)[:, None] * np.arange(1, limit + 1)
    spread = np.repeat(candidates, count, axis=0)
    factors = _errors(groups.reshape(-1, size), spread, narrow).argmin(1).reshape(channels, count) + 1
    return scale, Grouped(format.bits, format.group_size, factors.astype(np.int8))
