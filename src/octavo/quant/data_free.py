"""Statistics of activations without data, from the batch norms that training left (Nagel et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.num.normals import ClippedNormals
from octavo.num.statistics import MinMax, MovingAverage, Range
from octavo.ops import Conv2D, FullyConnected, LogSoftmax, Pad, Softmax
from octavo.quant.observe import Observation
from octavo.quant.propagate import propagated
from octavo.quant.statistics import TensorStatistics

__all__ = ["InputRange", "expected_statistics", "require_moments"]

InputRange = Range | Mapping[str, Range]
_REACH = 3.0
_LOGITS = 8.0
_SHARED = 0.9


def expected_statistics(graph: Graph, input_range: InputRange | None = None, spread: float = 6.0) -> Observation:
    """What calibration would see, as far as batch norm tells: Nagel et al. 2019, Data-Free Quantization, section 4.

    A batch norm makes its output's channels have mean beta and standard deviation |gamma|; read as normal variables
    they pass through the operators as octavo.quant.propagate says. The range of an activation is the widest of its
    channels' mean -+ ``spread`` standard deviations, cut where its clip cuts. Histograms are mixtures of the clipped
    normals, so that every range method works. A network's outputs and what a Softmax reads have none, and keep
    extremes of 8 standard deviations or more: what matters of a classifier's logits are the few largest, which a
    normal variable does not know.

    Two things are assumed: inputs of a window are independent where a linear layer has no batch norm, and so are the
    branches of an Add. ``input_range`` is the range of the network's input (one for all, or by name), read as if its
    values were spread evenly. Without it the range is estimated from the first layer's batch norm, and a note says so.

    Raises OctavoError for a graph without batch-norm statistics and for an operator that nothing can be told of.
    """
    require_moments(graph)
    _check_names(graph, input_range)
    states: dict[str, ClippedNormals] = {}
    notes: dict[str, str] = {}
    for name in graph.inputs:
        given = input_range.get(name) if isinstance(input_range, Mapping) else input_range
        if given is None:
            states[name] = _estimated(graph, name)
            notes[name] = "estimated from the first layer's batch norm: give input_range"
        else:
            states[name] = _uniform(graph, name, given)
            notes[name] = "the input's given range"
    for node in graph.nodes:
        states[node.outputs[0]] = state = propagated(graph, node, states)
        if not (np.isfinite(state.centre).all() and np.isfinite(state.deviation).all()):
            raise OctavoError(
                node.source or node.name, "its expected values are not finite", "Check the batch norms before it."
            )
        notes[node.outputs[0]] = f"expected from batch norm, no data; mean -+ {spread:g} standard deviations"
    logits = {node.inputs[0] for node in graph.nodes if isinstance(node.op, Softmax | LogSoftmax)}.union(graph.outputs)
    reach = {name: _REACH for name in graph.inputs} | {name: max(spread, _LOGITS) for name in logits}
    statistics = {name: _statistics(state, reach.get(name, spread)) for name, state in states.items()}
    for name in logits:
        statistics[name] = replace(statistics[name], histogram=None)
    return Observation(statistics, 0, notes)


def _check_names(graph: Graph, input_range: InputRange | None) -> None:
    if isinstance(input_range, Mapping) and not set(input_range) <= set(graph.inputs):
        unknown = sorted(set(input_range) - set(graph.inputs))
        raise OctavoError(
            f"input_range {', '.join(unknown)}", "is for no input of the network", f"It has {', '.join(graph.inputs)}."
        )


def require_moments(graph: Graph) -> None:
    """OctavoError for a graph whose batch norms are unknown."""
    if not graph.moments:
        raise OctavoError(
            f"model {graph.name}",
            "has no batch-norm statistics: calibrate with data",
            "Give calibration data, or import the model with its batch norms.",
        )


def _statistics(state: ClippedNormals, spread: float) -> TensorStatistics:
    channels = state.moments(spread)
    low, high = float(channels.low.min()), float(channels.high.max())
    average = MovingAverage(low=low, high=high, windows=1)
    return TensorStatistics(MinMax(low, high), average, state.histogram(spread), channels)


def _uniform(graph: Graph, name: str, given: Range) -> ClippedNormals:
    """Mean and deviation of a uniform variable."""
    low, high = given
    if not (np.isfinite([low, high]).all() and low < high):
        raise OctavoError(f"input {name}", f"has the range [{low}, {high}]", "Give (low, high) with low below high.")
    mean = np.full(graph.types[name].shape[-1], (low + high) / 2)
    return ClippedNormals.of(mean, (high - low) / 12**0.5, low, high)


def _estimated(graph: Graph, name: str) -> ClippedNormals:
    """The input with which the first layer best gives its moments.

    Means by least squares; the deviation is one number for all channels, with pixels of correlation 0.9.
    """
    node = _first_layer(graph, name)
    if node is None or node.inputs[2] not in graph.moments or node.inputs[1] not in graph.consts:
        raise OctavoError(
            f"input {name}", "its first layer has no batch norm to tell its range by", "Give input_range."
        )
    weights, bias = (graph.consts[value].astype(np.float64) for value in node.inputs[1:])
    mean, deviation = graph.moments[node.inputs[2]]
    table = weights.reshape(len(weights), -1, weights.shape[-1]).sum(1)
    centre = np.linalg.lstsq(table, mean - bias, rcond=1e-3)[0]
    shared = _SHARED if weights.ndim == 4 else 0.0
    gain = shared * table.sum(1) ** 2 + (1 - shared) * (weights**2).reshape(len(weights), -1).sum(1)
    return ClippedNormals.of(centre, np.sqrt((deviation**2).sum() / max(float(gain.sum()), 1e-30)))


def _first_layer(graph: Graph, name: str) -> Node | None:
    readers = graph.consumers()
    value = name
    while len(readers[value]) == 1:
        node = readers[value][0]
        if isinstance(node.op, Conv2D | FullyConnected):
            return node if getattr(node.op, "groups", 1) == 1 else None
        if not isinstance(node.op, Pad):
            return None
        value = node.outputs[0]
    return None
