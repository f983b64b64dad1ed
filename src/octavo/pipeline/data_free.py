"""Quantization without any data: batch norm's statistics stand in for calibration."""

from __future__ import annotations

import time
from collections.abc import Mapping

from octavo.errors import OctavoError
from octavo.ir.graph import Graph
from octavo.passes.absorb import absorb_biases
from octavo.passes.balance import balance
from octavo.passes.equalize import equalize
from octavo.pipeline.rung import Rung, Stage, silent
from octavo.pipeline.said import left_out
from octavo.quant.correct import correct_bias_analytic
from octavo.quant.data_free import InputRange, expected_statistics, require_moments
from octavo.quant.place import align
from octavo.quant.quantize import Scheme, quantize_observed

__all__ = ["without_data"]


def without_data(
    graph: Graph,
    scheme: Scheme,
    equalization: str = "auto",
    input_range: InputRange | None = None,
    target: str = "",
    stage: Stage = silent,
) -> Rung:
    """Quantize a normalised float graph whose batch norms are known (Nagel et al. 2019, Data-Free Quantization).

    Weights per tensor: cross-layer equalization and high-bias absorption first. Then ranges from the batch norms'
    means and deviations, and analytic bias correction. ``equalization`` auto, none, weights or balance.

    Raises OctavoError for a graph without batch-norm statistics.
    """
    require_moments(graph)
    if equalization == "align":
        raise OctavoError("equalization align", "needs calibration data", "Use auto, none, weights or balance.")
    start = time.perf_counter()
    stage("expecting activations", 0, None)
    notes: tuple[str, ...] = ("no data: ranges and corrections are those that batch norm leads to expect",)
    weights = scheme.format.weights
    kind = equalization
    if kind == "auto":
        kind = "weights" if weights.granularity == "per-tensor" else "none"
    changed = graph
    if kind == "weights":
        equalized = equalize(graph)
        absorption = absorb_biases(equalized.graph)
        changed = absorption.graph
        notes += left_out("equalization", equalized.left)
        notes += left_out("absorption", [entry for entry in absorption.left if entry not in equalized.left])
        notes += tuple(
            f"absorption changed the float function of {entry.source}: {entry.share:.2%} of its outputs, by "
            f"{entry.error:.3g} on average over {entry.channels} channels"
            for entry in absorption.absorbed
        )
    elif kind == "balance":
        moments = {
            name: entry.channels
            for name, entry in expected_statistics(graph, input_range).statistics.items()
            if entry.channels is not None
        }
        per_channel = weights.granularity != "per-tensor"
        balanced = balance(graph, moments, per_channel, scheme.format.activations.symmetric, weights.bits)
        changed = balanced.graph
        notes += left_out("equalization", balanced.left)
    prepared = align(changed, scheme.region)
    expected = expected_statistics(prepared, input_range)
    quantized = correct_bias_analytic(quantize_observed(prepared, expected, scheme, target), expected)
    given = input_range if isinstance(input_range, Mapping) else dict.fromkeys(graph.inputs, input_range)
    notes += tuple(f"input {name}: {expected.notes[name]}" for name in graph.inputs if given.get(name) is None)
    name = f"data-free, equalization {kind}, biases corrected"
    return Rung(name, quantized, time.perf_counter() - start, notes)
