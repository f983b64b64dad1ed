"""How good a quantized network is on samples it was not made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from octavo.analysis.compare import Score, dequantize_outputs, quantize_inputs
from octavo.ir.graph import Array, Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.pipeline.samples import Samples
from octavo.quant.simulate import simulation
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run

__all__ = ["Measure", "interval", "measure", "reference_outputs"]


@dataclass(frozen=True)
class Measure:
    """Quality on ``samples`` samples. ``drop`` is in points: of accuracy with labels, else of agreement with float.

    A ``single`` value has no class: its agreement and drop mean nothing.
    """

    samples: int
    sqnr_db: float
    agreement: float
    float_accuracy: float | None = None
    accuracy: float | None = None
    worse: int = 0
    better: int = 0
    single: bool = False

    @property
    def drop(self) -> float:
        """Points lost."""
        if self.accuracy is None or self.float_accuracy is None:
            return 100 * (1 - self.agreement)
        return 100 * (self.float_accuracy - self.accuracy)

    def row(self) -> dict[str, float | int | None]:
        """As plain data."""
        return {
            "samples": self.samples,
            "drop": None if self.single else self.drop,
            "agreement": None if self.single else self.agreement,
            "sqnr_db": self.sqnr_db if math.isfinite(self.sqnr_db) else None,
            "float_accuracy": self.float_accuracy,
            "accuracy": self.accuracy,
        }


def reference_outputs(graph: Graph, samples: Samples) -> Array:
    """The first output of the float network, [N, ...]."""
    first = graph.outputs[0]
    with torch.inference_mode():
        parts = [float_run(graph, batch)[first].numpy() for batch in samples.batches()]
    return np.concatenate(parts)


def measure(quantized: Quantized, samples: Samples, reference: Array, exact: bool = False) -> Measure:
    """Compare the first output with ``reference``; ``exact`` runs the integer executor, else the simulation."""
    score = Score()
    first, start = quantized.graph.outputs[0], 0
    model = lower(quantized) if exact else None
    tap = simulation(quantized)
    worse = better = 0
    with torch.inference_mode():
        for batch in samples.batches():
            if model is None:
                got = float_run(quantized.graph, batch, tap)[first].numpy()
            else:
                integers = integer_run(model.graph, quantize_inputs(model, batch))
                got = dequantize_outputs(model, {name: value.numpy() for name, value in integers.items()})[first]
            stop = start + len(got)
            labels = None if samples.labels is None else samples.labels[start:stop]
            score.update(reference[start:stop], got, labels)
            if labels is not None:
                before, after = (x.reshape(len(got), -1).argmax(1) == labels for x in (reference[start:stop], got))
                worse, better = worse + int((before & ~after).sum()), better + int((after & ~before).sum())
            start = stop
    known = score.labelled > 0
    return Measure(
        score.samples,
        score.sqnr_db,
        score.agreement,
        score.reference_right / score.samples if known else None,
        score.candidate_right / score.samples if known else None,
        worse,
        better,
        reference[0].size == 1,
    )


def interval(found: Measure, z: float = 1.959964) -> tuple[float, float]:
    """A confidence interval of the drop, in points; 95 % unless another normal quantile ``z`` is given.

    With labels: of the difference of two proportions measured on the same samples (normal approximation on the
    discordant pairs, one pair added to each side; Agresti and Min 2005). Without: Wilson's interval of the agreement.
    """
    n = found.samples
    if found.accuracy is not None:
        b, c = found.worse + 0.5, found.better + 0.5
        centre, spread = (b - c) / (n + 2), math.sqrt(max(b + c - (b - c) ** 2 / (n + 2), 0.0)) / (n + 2)
        return 100 * (centre - z * spread), 100 * (centre + z * spread)
    p = 1 - found.agreement
    middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 100 * (middle - width) / (1 + z * z / n), 100 * (middle + width) / (1 + z * z / n)
