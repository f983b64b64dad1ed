"""What a rung of the ladder gives, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from octavo.ir.plan import Quantized
from octavo.quant.observe import Observation

__all__ = ["Rung", "Stage", "silent", "weight_bytes"]

Stage = Callable[[str, int, int | None], None]
"""Called with what is done now, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Rung:
    """A quantized network, by what it was made and in how many seconds.

    ``notes`` are what must be said of it, ``seen`` is what calibration saw of its graph.
    """

    name: str
    quantized: Quantized
    seconds: float
    notes: tuple[str, ...] = ()
    seen: Observation | None = None

    def row(self) -> dict[str, object]:
        """As plain data for the trail."""
        return {"rung": self.name, "seconds": round(self.seconds, 2), "weight_bytes": weight_bytes(self.quantized)}


def silent(what: str, done: int, total: int | None) -> None:
    """The stage that tells nobody."""


def weight_bytes(quantized: Quantized) -> int:
    """Bytes of the weights at their format's bits, with scales and group factors."""
    total = 0.0
    for node in quantized.graph.nodes:
        index = getattr(node.op, "weight", None)
        if index is not None and node.inputs[index] in quantized.plan.qparams:
            encoding = quantized.plan.qparams[node.inputs[index]]
            bits = encoding.levels.bits or (16 if encoding.dtype == "float16" else 8)
            total += quantized.graph.types[node.inputs[index]].size * bits / 8 + 4 * encoding.scale.size
            total += getattr(getattr(encoding.levels, "factors", None), "size", 0)
    return int(np.ceil(total))
