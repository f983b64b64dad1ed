"""Range methods: from what calibration saw of all tensors to the (low, high) that each shall be quantized for.

One method a file, each a function of all tensors at once: ``method(statistics, format) -> list of ranges``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from octavo.errors import OctavoError
from octavo.num.formats import ActivationFormat
from octavo.num.statistics import Range
from octavo.quant.ranges.cross_entropy import cross_entropy
from octavo.quant.ranges.extremes import minmax, moving_average
from octavo.quant.ranges.kl import kl
from octavo.quant.ranges.mse import mse
from octavo.quant.ranges.percentile import percentile
from octavo.quant.statistics import TensorStatistics

__all__ = ["RANGES", "RangeMethod", "find_ranges"]

# Methods take at least one tensor.
RangeMethod = Callable[[Sequence[TensorStatistics], ActivationFormat], list[Range]]

RANGES: dict[str, RangeMethod] = {
    "minmax": minmax,
    "moving-average": moving_average,
    "percentile": percentile,
    "mse": mse,
    "kl": kl,
    "cross-entropy": cross_entropy,
}
"""By the name that users give."""


def find_ranges(name: str) -> RangeMethod:
    """A method by name; OctavoError lists what there is."""
    if name not in RANGES:
        raise OctavoError(f"ranges {name}", "is unknown", f"Use one of {', '.join(RANGES)}.")
    return RANGES[name]
