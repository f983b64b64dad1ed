"""Ranges with the least squared error: a smaller step for most values against clipping the largest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from octavo.num.formats import ActivationFormat
from octavo.num.histogram import Densities
from octavo.num.statistics import Range
from octavo.quant.statistics import TensorStatistics, densities

__all__ = ["mse"]

Vector = NDArray[np.float64]
_CHUNK = 2**18
_COARSE = np.linspace(0.1, 1.0, 19)


def mse(statistics: Sequence[TensorStatistics], format: ActivationFormat) -> list[Range]:
    """The range whose quantization has the least expected squared error (Nagel et al. 2021, section 3.1).

    The error is exact for the histogram read as a density that is uniform in each bin. Affine: both ends are searched,
    on a grid of 19 x 19 shares of the extremes, then twice on finer grids around the best. Symmetric: 181 clips. Power
    of two: every scale 2^k from the one that holds everything down to a sixteenth of it. All candidates of all tensors
    are one computation. A constant or empty tensor keeps its extremes.
    """
    known = densities(statistics)
    low, high = np.minimum(known.low, 0.0), np.maximum(known.high, 0.0)
    alive = (high > low) & (known.total > 0)
    safe_low, safe_high = np.where(alive, low, 0.0), np.where(alive, high, 1.0)
    find = _symmetric if format.symmetric else _affine
    found = find(known, safe_low, safe_high, format)
    best = np.where(alive[:, None], found, np.stack([low, high], axis=1))
    return [(float(a), float(b)) for a, b in best]


def _symmetric(known: Densities, low: Vector, high: Vector, format: ActivationFormat) -> Vector:
    """[T, 2]. Narrow formats without negative values are unsigned."""
    found = np.empty((len(low), 2))
    unsigned = (low == 0) & format.narrow
    for rows, alone in ((np.flatnonzero(unsigned), True), (np.flatnonzero(~unsigned), False)):
        if not rows.size:
            continue
        peak, (least, top) = np.maximum(-low, high)[rows], format.integers(alone)
        if format.power_of_two:
            scales = np.exp2(np.ceil(np.log2(peak / top))[:, None] - np.arange(5))
        else:
            scales = (peak / top)[:, None] * np.linspace(0.1, 1.0, 181)
        # One level of 256 more below than above is nothing, one of 16 is not.
        first = least if format.narrow else -top
        errors = _chunked(known.take(rows), scales, np.full_like(scales, first), top - first + 1)
        best = np.take_along_axis(scales, errors.argmin(1)[:, None], 1)[:, 0]
        found[rows] = best[:, None] * [0 if alone else -top, top]
    return found


def _affine(known: Densities, low: Vector, high: Vector, format: ActivationFormat) -> Vector:
    """[T, 2]. An end at zero needs no search."""
    steps = 2**format.width - 1
    found = np.empty((len(low), 2))
    one_sided = (low == 0) | (high == 0)
    for rows, alone in ((np.flatnonzero(one_sided), True), (np.flatnonzero(~one_sided), False)):
        if rows.size:
            found[rows] = _searched(known.take(rows), low[rows], high[rows], alone, steps)
    return found


def _grid(steps: Vector, one_sided: bool) -> Vector:
    """[1, C, 2]: shares of both ends; the same share for both where one of them is zero."""
    if one_sided:
        return np.stack([steps, steps], -1)[None]
    return np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(1, -1, 2)


def _searched(known: Densities, low: Vector, high: Vector, one_sided: bool, steps: int) -> Vector:
    """The best ends [T, 2] of ``steps`` steps by a coarse and two fine searches."""
    shares = _grid(_COARSE, one_sided)
    shares = np.broadcast_to(shares, (len(low), *shares.shape[1:]))
    for width in (0.05, 0.01, None):
        lows, highs = low[:, None] * shares[..., 0], high[:, None] * shares[..., 1]
        scales = (highs - lows) / steps
        first = np.clip(np.rint(lows / scales), -steps, 0)
        errors = _chunked(known, scales, first, steps + 1)
        best = np.take_along_axis(shares, errors.argmin(1)[:, None, None], 1)
        if width is None:
            break
        shares = np.clip(best + _grid(np.linspace(-width, width, 9), one_sided), 0.02, 1.0)
    chosen = best[:, 0]
    return np.stack([low * chosen[:, 0], high * chosen[:, 1]], axis=1)


def _chunked(known: Densities, scales: Vector, first: Vector, levels: int) -> Vector:
    """The errors of all candidates [T, C], in slices of bounded memory."""
    step = max(1, _CHUNK // (len(scales) * min(levels, 1024)))
    parts = [
        known.error(scales[:, i : i + step], first[:, i : i + step], levels) for i in range(0, scales.shape[1], step)
    ]
    return np.concatenate(parts, axis=1)
