"""What the flow has measured: all that rules decide by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from octavo.diagnosis.case import Case
from octavo.diagnosis.inputs import Reading, Variant
from octavo.diagnosis.moments import LayerFit
from octavo.diagnosis.reference import Divergence
from octavo.diagnosis.repairs import Repair
from octavo.diagnosis.result import Culprit, Fork
from octavo.diagnosis.score import Quality
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.qparams import QParams
from octavo.quant.observe import Observation
from octavo.quant.statistics import TensorStatistics, densities

__all__ = ["FloatFacts", "QuantizedFacts", "clipped_share", "density_noise", "limits", "quantile", "rounding_noise"]


@dataclass(frozen=True)
class FloatFacts:
    """Of the float network and the samples. ``fits`` are of the judging samples, ``suspect`` a place in them."""

    case: Case
    imported: Fork
    reference: Graph | None = None
    divergence: Divergence | None = None
    readings: tuple[Reading, ...] = ()
    variants: Mapping[str, Variant] = field(default_factory=dict)
    fits: tuple[LayerFit, ...] = ()
    suspect: int | None = None
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True)
class QuantizedFacts:
    """Of the quantized network. ``seen`` is what calibration saw, ``tested`` the same of the judging samples.

    ``refused`` is why the integer network cannot be made, empty where it can.
    """

    case: Case
    quantized: Quantized
    seen: Observation
    tested: Observation
    full: Quality
    weights: Quality
    activations: Quality
    culprits: tuple[Culprit, ...]
    refused: str = ""

    def node(self, culprit: Culprit) -> Node:
        """The node whose weights they are, or that makes the activation."""
        return next(node for node in self.quantized.graph.nodes if node.name == culprit.layer)

    def of(self, kind: str) -> list[Culprit]:
        """The culprits of a kind, worst first, that have any part in the noise."""
        return [row for row in self.culprits if row.kind == kind and row.share > 1e-4]

    def encoding(self, culprit: Culprit) -> QParams:
        """Of the culprit's tensor."""
        return self.quantized.plan.qparams[culprit.tensor]

    def values(self, culprit: Culprit) -> Array:
        """The weights themselves."""
        return self.quantized.graph.consts[culprit.tensor]


def quantile(statistics: TensorStatistics, share: float) -> float:
    """The magnitude that ``share`` of the values stay below, zeros counted; to a bin of the histogram."""
    histogram = statistics.histogram
    if histogram is None or histogram.counts is None:
        return 0.0
    half = len(histogram.counts) // 2
    folded = histogram.counts[half:] + histogram.counts[:half][::-1]
    below = histogram.zeros + np.cumsum(folded)
    place = int(np.argmax(below >= share * below[-1]))
    if histogram.zeros >= share * below[-1]:
        return 0.0
    return min((place + 1) * histogram.reach / half, max(map(abs, statistics.minmax.range)))


def limits(encoding: QParams) -> tuple[float, float]:
    """The reals that an activation's encoding reaches."""
    low, high = encoding.limits
    scale, zero_point = float(encoding.scale[0]), int(encoding.zero_point[0])
    if encoding.dtype == "float16":
        return float(low), float(high)
    return scale * (low - zero_point), scale * (high - zero_point)


def clipped_share(statistics: TensorStatistics, encoding: QParams) -> float:
    """The share of the values beyond the encoding's ends, by the histogram."""
    histogram = statistics.histogram
    if histogram is None or histogram.counts is None:
        return 0.0
    low, high = limits(encoding)
    width = 2 * histogram.reach / len(histogram.counts)
    left = -histogram.reach + width * np.arange(len(histogram.counts))
    outside = histogram.counts[(left + width <= low) | (left >= high)].sum()
    return float(outside / max(histogram.counts.sum() + histogram.zeros, 1.0))


def density_noise(statistics: TensorStatistics, encoding: QParams) -> float:
    """The sum of squared errors that an activation's encoding makes of the histogram's values."""
    low, high = encoding.limits
    scale, first = np.array([[encoding.scale[0]]], np.float64), np.array([[float(low - int(encoding.zero_point[0]))]])
    return float(densities([statistics]).error(scale, first, high - low + 1)[0, 0])


def rounding_noise(values: Array, encoding: QParams) -> float:
    """The sum of squared errors of constants in an encoding."""
    error = encoding.dequantize(encoding.quantize(values)) - values.astype(np.float64)
    return float((error**2).sum())
