"""What each number format does to one tensor: step, range, noise, bytes, levels, energy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.analysis.compare import Score
from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph
from octavo.num.energy import mac_energy, window_sum_energy
from octavo.num.formats import FORMATS, GRANULARITIES, ActivationFormat, WeightFormat
from octavo.num.levels import Grouped, Narrow, PowersOfTwo
from octavo.num.qparams import QParams
from octavo.quant.observe import Batch, as_inputs
from octavo.quant.quantize import activation_qparams
from octavo.quant.ranges import find_ranges
from octavo.quant.ranges.asymmetric import asymmetric_qparams
from octavo.quant.ranges.weights import weight_qparams
from octavo.quant.statistics import TensorStatistics, densities
from octavo.run.float_run import float_run

__all__ = [
    "ASYMMETRIC",
    "NARROW_BITS",
    "Effect",
    "activation_effects",
    "encoding_levels",
    "format_effects",
    "histogram",
    "weight_formats",
]

Real = NDArray[np.float64]

ASYMMETRIC = "asymmetric weights"
NARROW_BITS = (3, 2)
"""Uniform weights that have no format of their own by name, shown per channel and per group."""
_WARNING = "not executed: adds a data-dependent term; see docs/formats.md"


@dataclass(frozen=True, eq=False)
class Effect:
    """What a format does to a tensor.

    ``step`` and ``range`` are the smallest and the largest over channels and groups (``range``: the extreme reals that
    have a level). ``bytes`` counts the elements at the format's bits with scales (4 bytes each), zero_points and group
    factors (1 each); of an activation, those of one sample. ``levels_used`` of ``levels`` occur somewhere in the
    tensor. ``worst_channel_db`` is the SQNR of the channel that has least of it. ``energy`` is one multiply-accumulate
    relative to int8 (octavo.num.energy). ``warning`` is empty unless something must be said.
    """

    name: str
    granularity: str
    bits: int
    step: tuple[float, float]
    range: tuple[float, float]
    sqnr_db: float
    worst_channel_db: float
    bytes: int
    levels_used: int
    levels: int
    energy: float
    encoding: QParams = field(repr=False)
    warning: str = ""

    def row(self) -> dict[str, object]:
        """As plain data."""
        return {key: value for key, value in vars(self).items() if key != "encoding"}


def weight_formats(granularity: str | None = None) -> list[tuple[str, WeightFormat, float]]:
    """(names, weights, energy) of all formats at every granularity they can have, those that agree in one row."""
    if granularity is not None and granularity not in GRANULARITIES:
        raise OctavoError(f"granularity {granularity}", "is unknown", f"Use one of {', '.join(GRANULARITIES)}.")
    found: dict[tuple[WeightFormat, float], list[str]] = {}
    for name, format in FORMATS.items():
        for weights in _granular(format.weights, granularity):
            found.setdefault((weights, mac_energy(weights, format.activations)), []).append(name)
    for bits in NARROW_BITS:
        for weights in _granular(WeightFormat(bits=bits), granularity):
            if weights.granularity != "per-tensor" or granularity is not None:
                found[weights, mac_energy(weights)] = [f"int{bits}"]
    return [(", ".join(names), weights, energy) for (weights, energy), names in found.items()]


def _granular(weights: WeightFormat, granularity: str | None) -> list[WeightFormat]:
    """The same weights at a granularity, or at all, where they can have it. float16 has no scales."""
    if weights.kind == "float16":
        return [weights]
    grouped = weights.kind == "uniform" and weights.bits <= 6
    wanted = GRANULARITIES if granularity is None else (granularity,)
    return [replace(weights, granularity=g) for g in wanted if g != "per-group" or grouped]


def format_effects(
    weights: Array,
    channel_axis: int = 0,
    granularity: str | None = None,
    weight_ranges: str = "mse",
    sharing: int | None = None,
    where: str = "weights",
) -> tuple[Effect, ...]:
    """A row for every weight format at every granularity, or at one.

    ``channel_axis`` is the axis of the output channels. ``sharing`` is how many output channels read the same window
    of the input: all of them (the default), those of a group, or a depthwise multiplier; the energy of asymmetric
    weights depends on it. Raises OctavoError for values that are not finite.
    """
    values = np.asarray(weights)
    if values.ndim == 0 or values.size == 0 or values.dtype.kind not in "fiu":
        raise OctavoError(where, f"{values.dtype}{list(values.shape)} is no tensor of numbers", "Give an array.")
    if not np.isfinite(values).all():
        raise OctavoError(where, "holds NaN or Inf", "Check the training or the export of the model.")
    if not -values.ndim <= channel_axis < values.ndim:
        raise OctavoError(where, f"has no axis {channel_axis}", f"Give a channel_axis below {values.ndim}.")
    axis = channel_axis % values.ndim
    effects = []
    for name, format, energy in weight_formats(granularity):
        encoding = weight_qparams(values, format, axis, weight_ranges)
        effects.append(_weight_effect(name, format.granularity, format.bits, values, axis, encoding, energy))
    channels = values.shape[axis]
    for kind in GRANULARITIES[:2]:
        if granularity in (None, kind):
            encoding = asymmetric_qparams(values, axis, kind, weight_ranges)
            extra = window_sum_energy(values.size // channels, sharing or channels, kind == "per-tensor")
            effect = _weight_effect(ASYMMETRIC, kind, 8, values, axis, encoding, mac_energy() + extra)
            effects.append(replace(effect, warning=_WARNING, bytes=effect.bytes + encoding.zero_point.size))
    return tuple(effects)


def _weight_effect(
    name: str, granularity: str, bits: int, values: Array, axis: int, encoding: QParams, energy: float
) -> Effect:
    integers = encoding.quantize(values)
    noise = encoding.dequantize(integers) - values.astype(np.float64)
    others = tuple(i for i in range(values.ndim) if i != axis)
    signals = (values.astype(np.float64) ** 2).sum(axis=others)
    noises = (noise**2).sum(axis=others)
    ratios = [Score(signal=s, noise=n).sqnr_db for s, n in zip(signals, noises, strict=True) if s > 0]
    step, reach = _step_and_range(encoding, values)
    is_float = encoding.dtype == "float16"
    if is_float:
        granularity = "-"
    scales = 0 if is_float else encoding.scale.size
    factors = encoding.levels.factors.size if isinstance(encoding.levels, Grouped) else 0
    return Effect(
        name,
        granularity,
        bits,
        step,
        reach,
        Score(signal=float(signals.sum()), noise=float(noises.sum())).sqnr_db,
        min(ratios, default=math.inf),
        math.ceil(values.size * bits / 8) + 4 * scales + factors,
        _used(integers, encoding, axis),
        _level_count(encoding),
        energy,
        encoding,
    )


def _integers(encoding: QParams) -> Real:
    """The integers that may occur, before zero_point and group factors."""
    levels = encoding.levels
    if isinstance(levels, PowersOfTwo):
        powers = np.exp2(np.arange(round(math.log2(levels.peak)) + 1))
        return np.concatenate([-powers[::-1], [0.0], powers])
    if isinstance(levels, Grouped):
        levels = Narrow(levels.bits)
    if isinstance(levels, Narrow):
        return np.arange(-levels.peak, levels.peak + 1, dtype=np.float64)
    low, high = encoding.limits
    return np.arange(low, high + 1, dtype=np.float64)


def _level_count(encoding: QParams) -> int:
    # All finite binary16 numbers: 31 exponents with both signs of 1,024, and one zero.
    return 2 * 31 * 1024 - 1 if encoding.dtype == "float16" else len(_integers(encoding))


def _steps(encoding: QParams) -> Real:
    """The step of every channel, or of every group."""
    scale = encoding.scale.astype(np.float64)
    if isinstance(encoding.levels, Grouped):
        return np.asarray((scale.reshape(-1, 1) * encoding.levels.factors).ravel())
    return scale


def encoding_levels(encoding: QParams) -> tuple[Real, Real]:
    """The reals that have a level: where the step is largest, and where it is smallest. Not for float16."""
    if encoding.dtype == "float16":
        raise OctavoError("levels of float16", "are too many to list", "Take numpy.float16 for them.")
    steps, integers = _steps(encoding), _integers(encoding)
    zeros = np.resize(encoding.zero_point.astype(np.float64), steps.size)
    coarse, fine = int(steps.argmax()), int(steps.argmin())
    return steps[coarse] * (integers - zeros[coarse]), steps[fine] * (integers - zeros[fine])


def _step_and_range(encoding: QParams, values: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    if encoding.dtype == "float16":
        halves = np.abs(encoding.quantize(values))
        ends = (halves[halves > 0].min(), halves.max()) if halves.any() else (np.float16(0), np.float16(0))
        low, high = encoding.limits
        return (float(np.spacing(ends[0])), float(np.spacing(ends[1]))), (float(low), float(high))
    steps, integers = _steps(encoding), _integers(encoding)
    zeros = np.resize(encoding.zero_point.astype(np.float64), steps.size)
    lows, highs = steps * (integers[0] - zeros), steps * (integers[-1] - zeros)
    return (float(steps.min()), float(steps.max())), (float(lows.min()), float(highs.max()))


def _used(integers: Array, encoding: QParams, axis: int) -> int:
    """How many different levels occur."""
    if isinstance(encoding.levels, Grouped):
        moved = np.moveaxis(integers, axis, 0)
        flat = moved.reshape(moved.shape[0], -1).astype(np.int64)
        factors = np.repeat(encoding.levels.factors, encoding.levels.size, axis=1)[:, : flat.shape[1]]
        integers = flat // factors
    return int(np.unique(integers).size)


def activation_formats() -> list[tuple[str, ActivationFormat]]:
    """Names and formats of activations, those that agree in one row."""
    found: dict[ActivationFormat, list[str]] = {}
    for name, format in FORMATS.items():
        found.setdefault(format.activations, []).append(name)
    return [(", ".join(names), format) for format, names in found.items()]


def activation_effects(
    graph: Graph, batches: Iterable[Batch], tensor: str, ranges: str = "mse"
) -> tuple[tuple[Effect, ...], TensorStatistics]:
    """A row for every activation format, and the tensor's statistics over the samples.

    ``batches`` must be iterable twice: the first pass finds the ranges, the second counts noise, on all elements.
    """
    statistics = TensorStatistics()
    for value in _tapped(graph, batches, tensor):
        statistics = statistics.update(value, keep=tensor in graph.outputs)
    if not all(map(math.isfinite, statistics.minmax.range)):
        raise OctavoError(tensor, "has no finite values on the samples", "Check the calibration data.")
    chosen = []
    for name, format in activation_formats():
        low, high = find_ranges(ranges)([statistics], format)[0]
        chosen.append((name, format, activation_qparams(low, high, format)))
    scores = [Score() for _ in chosen]
    seen = [np.zeros(2**16, bool) for _ in chosen]
    peaks = [0.0, math.inf]
    for value in _tapped(graph, batches, tensor):
        array = value.numpy()
        size = np.abs(array[array != 0])
        if size.size:
            peaks = [max(peaks[0], float(size.max())), min(peaks[1], float(size.min()))]
        for score, used, (_, _, encoding) in zip(scores, seen, chosen, strict=True):
            integers = encoding.quantize(array)
            score.update(array, encoding.dequantize(integers))
            unsigned = integers.view(np.uint8 if integers.itemsize == 1 else np.uint16)
            used[unsigned.ravel()] = True
    extremes = np.array([min(peaks[1], peaks[0]), peaks[0]])
    return tuple(
        _activation_effect(name, format, encoding, score, int(used.sum()), extremes, graph.types[tensor].size)
        for (name, format, encoding), score, used in zip(chosen, scores, seen, strict=True)
    ), statistics


def histogram(statistics: TensorStatistics, bins: int) -> Real:
    """Counts in ``bins`` equal bins between the extremes that were seen, zeros in the bin that holds 0."""
    low, high = statistics.minmax.range
    if statistics.histogram is None or not high > low:
        return np.full(bins, 0.0)
    edges = np.linspace(low, high, bins + 1)
    counts = np.diff(densities([statistics]).below(edges[None])[0][0])
    if low <= 0 <= high:
        counts[min(int(-low / (high - low) * bins), bins - 1)] += statistics.histogram.zeros
    return np.asarray(counts)


def _activation_effect(
    name: str, format: ActivationFormat, encoding: QParams, score: Score, used: int, extremes: Real, size: int
) -> Effect:
    step, reach = _step_and_range(encoding, extremes)
    bits = format.width
    weights = WeightFormat("float16", 16) if format.dtype == "float16" else WeightFormat()
    kind = "-" if format.dtype == "float16" else "per-tensor"
    return Effect(
        name, kind, bits, step, reach, score.sqnr_db, score.sqnr_db, size * bits // 8, used, _level_count(encoding),
        mac_energy(weights, format), encoding,
    )  # fmt: skip


def _tapped(graph: Graph, batches: Iterable[Batch], tensor: str) -> Iterable[torch.Tensor]:
    """The tensor's values, batch after batch."""
    if tensor not in graph.activations():
        raise OctavoError(tensor, "is no activation of the network", "octavo inspect MODEL lists them.")
    kept: list[torch.Tensor] = []

    def tap(name: str, value: torch.Tensor) -> torch.Tensor:
        if name == tensor:
            kept.append(value)
        return value

    with torch.inference_mode():
        for batch in batches:
            float_run(graph, as_inputs(graph, batch), tap)
            yield kept.pop()
