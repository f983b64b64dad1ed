"""Bias correction: rounded weights shift the mean of a layer's output, the bias takes the shift back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized
from octavo.ops import Op
from octavo.quant.data_free import expected_statistics, require_moments
from octavo.quant.lockstep import Lockstep, fitting, memory_note
from octavo.quant.observe import Batch, Observation, as_inputs
from octavo.quant.propagate import mean_product

__all__ = ["correct_bias", "correct_bias_analytic"]

Vector = NDArray[np.float64]


def correct_bias(quantized: Quantized, data: Batch, max_bytes: int = 2**28) -> Quantized:
    """Give every linear layer's output, before its activation, its float mean in each channel (on ``data``).

    Nagel et al. 2019, section 4.2 and appendix D, empirical bias correction: b + E[W x] - E[W' x'], x the input in the
    float network and x' in the quantized one, whose earlier layers are corrected already. The mean over the samples
    is taken before the product, which is linear, so a layer's correction costs two products of one sample.
    ``max_bytes`` bounds stored activations by using fewer samples.

    The graph stays; ``plan.biases`` hold the corrected biases, in place of earlier ones, and ``plan.reasons`` say by
    how much each bias moved, or why a layer was not corrected.
    """
    graph = quantized.graph
    given = as_inputs(graph, data)
    inputs = fitting(graph, given, max_bytes)
    state = Lockstep(quantized, inputs)
    count = len(next(iter(state.float.values())))
    counted = Counter(value for node in graph.nodes for value in node.inputs)
    with torch.inference_mode():
        for node in graph.nodes:
            if isinstance(node.op, Op) and node.op.bias is not None:
                source = node.inputs[0]
                mean, rounded = (v[source].double().mean(0).numpy() for v in (state.float, state.rounded))
                how = f"mean of the float layer on {count} samples"
                state.quantized = _corrected(state.quantized, node, counted, mean, rounded, how)
            state.advance(node)
    notes = memory_note("bias correction", inputs, given)
    return state.quantized.with_(notes=(*state.quantized.plan.notes, *notes))


def correct_bias_analytic(quantized: Quantized, expected: Observation | None = None) -> Quantized:
    """Take E[(W' - W) x] of rounded weights W' from every linear layer's bias, without running the network.

    Nagel et al. 2019, section 4.2.1, analytic bias correction: E[x] comes from ``expected``, what calibration saw or,
    when not given, what batch norm and clipped normals lead to expect (octavo.quant.data_free.expected_statistics with
    the input's encoding as its range). What rounding of activations does to the mean is not seen.

    The graph stays; ``plan.biases`` hold the corrected biases, in place of earlier ones, and ``plan.reasons`` say by
    how much each bias moved, or why a layer was not corrected.
    """
    graph = quantized.graph
    if expected is None:
        require_moments(graph)
        expected = expected_statistics(graph, _input_ranges(quantized))
    counted = Counter(value for node in graph.nodes for value in node.inputs)
    for node in graph.nodes:
        if isinstance(node.op, Op) and node.op.bias is not None:
            channels = expected.statistics[node.inputs[0]].channels
            if channels is None:
                raise OctavoError(
                    node.source or node.name, "the statistics of its input have no channels", "Observe with detail."
                )
            how = "shift by rounded weights"
            quantized = _corrected(quantized, node, counted, channels.mean, channels.mean, how)
    return quantized


def _input_ranges(quantized: Quantized) -> dict[str, tuple[float, float]]:
    """The ranges that the inputs' encodings hold."""
    ranges = {}
    for name in quantized.graph.inputs:
        encoding = quantized.plan.qparams[name]
        if encoding.dtype != "float16":
            ends = encoding.dequantize(np.array(encoding.limits, encoding.dtype))
            ranges[name] = float(ends[0]), float(ends[1])
    return ranges


def _corrected(
    quantized: Quantized, node: Node, counted: Counter[str], mean: Vector, rounded: Vector, how: str
) -> Quantized:
    """With one layer's bias moved by E[W x] - E[W' x'], or with the reason why not."""
    graph, plan, op = quantized.graph, quantized.plan, node.op
    assert isinstance(op, Op) and op.bias is not None and op.weight is not None
    weight, bias = node.inputs[op.weight], node.inputs[op.bias]
    biases, reason = plan.biases, _unfit(graph, weight, bias, counted)
    if reason is None:
        real = plan.qparams[weight].dequantize(quantized.integers(weight))
        shift = mean_product(graph, node, graph.consts[weight], mean) - mean_product(graph, node, real, rounded)
        biases = {**biases, bias: graph.consts[bias].astype(np.float64) + shift}
        reason = f"corrected by up to {np.abs(shift).max():.3g}: {how}"
    return quantized.with_(biases=biases, reasons={**plan.reasons, bias: reason})


def _unfit(graph: Graph, weight: str, bias: str, counted: Counter[str]) -> str | None:
    """Why a layer's bias cannot be corrected."""
    if weight not in graph.consts or bias not in graph.consts:
        return "not corrected: the layer's weights or bias are computed"
    if counted[bias] > 1:
        return f"not corrected: {counted[bias]} operators share the bias"
    return None
