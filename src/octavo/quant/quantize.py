"""From a float graph and calibration data to a Quantized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized, bias_names, make_plan
from octavo.num.qparams import PerChannel, PerTensor, QParams
from octavo.num.statistics import Range
from octavo.ops import Op
from octavo.quant.observe import Batch, Progress, observe
from octavo.quant.place import Placement, align, place

__all__ = ["activation_qparams", "quantize_graph", "weight_qparams"]


def activation_qparams(low: float, high: float) -> QParams:
    """Affine int8 encoding of [low, high], widened to hold 0 exactly (Jacob et al. 2018, section 3).

    A range of nothing but zero gets scale 1.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255)
    if scale < np.finfo(np.float32).tiny:
        scale = np.float32(1.0)
    zero_point = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return QParams("int8", np.array([scale]), np.array([zero_point]))


def weight_qparams(weights: Array, axis: int | None) -> QParams:
    """Symmetric int8 encoding in [-127, 127], per channel along ``axis`` or per tensor for None.

    A channel of nothing but zeros takes the largest scale of the others.
    """
    others = None if axis is None else tuple(a for a in range(weights.ndim) if a != axis)
    peak = np.atleast_1d(np.abs(weights.astype(np.float64)).max(axis=others))
    scale = (peak / 127).astype(np.float32)
    usable = scale >= np.finfo(np.float32).tiny
    scale = np.where(usable, scale, scale[usable].max() if usable.any() else np.float32(1.0))
    granularity = PerTensor() if axis is None else PerChannel(axis)
    return QParams("int8", scale, np.zeros(scale.size, np.int32), granularity)


def quantize_graph(
    graph: Graph,
    calibration: Iterable[Batch],
    ranges: str = "moving-average",
    per_channel: bool = True,
    progress: Progress | None = None,
    target: str = "",
) -> Quantized:
    """Quantize a normalised float graph: int8 affine activations, symmetric int8 weights, int32 biases.

    ``calibration`` yields batches [N, ...] in the user's axis order.
    """
    graph = align(graph)
    placement = place(graph)
    observed = observe(graph, calibration, ranges, progress)
    qparams, reasons = _activations(graph, placement, observed, ranges)
    for node in graph.nodes:
        _constants(graph, node, qparams, reasons, per_channel)
    return Quantized(graph, make_plan(graph, qparams, placement.groups, reasons, target))


def _activations(
    graph: Graph, placement: Placement, observed: Mapping[str, Range], ranges: str
) -> tuple[dict[str, QParams], dict[str, str]]:
    """Encodings of all placed values: the group's range is the union of its members'."""
    wide: dict[str, Range] = {}
    for value, root in placement.groups.items():
        low, high = observed[value] if value in observed else _extent(graph.consts[value])
        other = wide.get(root, (low, high))
        wide[root] = min(low, other[0]), max(high, other[1])
    encodings: dict[str, QParams] = {}
    for root, (low, high) in wide.items():
        fixed = placement.fixed.get(root)
        encodings[root] = (
            activation_qparams(low, high)
            if fixed is None
            else QParams("int8", np.array([fixed.scale], np.float32), np.array([fixed.zero_point]))
        )
    reasons = {value: placement.reasons.get(value, f"{ranges} range") for value in placement.groups}
    return {value: encodings[root] for value, root in placement.groups.items()}, reasons


def _extent(array: Array) -> Range:
    return float(array.min()), float(array.max())


def _constants(
    graph: Graph, node: Node, qparams: dict[str, QParams], reasons: dict[str, str], per_channel: bool
) -> None:
    """Encodings of the constants that a node reads; biases have none of their own."""
    op = node.op
    assert isinstance(op, Op)
    skip = bias_names(graph)
    for index, value in enumerate(node.inputs):
        if value not in graph.consts or value in qparams or value in skip:
            continue
        if index == op.weight:
            axis = op.channel_axis if per_channel else None
            encoding = weight_qparams(graph.consts[value], axis)
            qparams[value] = _fit_bias(graph, node, encoding, qparams)
            reasons[value] = "symmetric per-channel weights" if per_channel else "symmetric per-tensor weights"
        else:
            qparams[value] = activation_qparams(*_extent(graph.consts[value]))
            reasons[value] = "a constant operand"


def _fit_bias(graph: Graph, node: Node, weights: QParams, qparams: Mapping[str, QParams]) -> QParams:
    """Widen the scale of vanishing channels until their bias fits in 30 bits."""
    op = node.op
    assert isinstance(op, Op)
    if op.bias is None:
        return weights
    bias_name, source = node.inputs[op.bias], node.source or node.name
    if bias_name not in graph.consts:
        raise OctavoError(source, "its bias is not a constant", "Make the bias a constant of the model.")
    bias = np.abs(graph.consts[bias_name].astype(np.float64))
    least: NDArray[np.float64] = bias / (float(qparams[node.inputs[0]].scale[0]) * 2.0**30)
    if weights.scale.size == 1:
        least = least.max(keepdims=True)
    scale = np.maximum(weights.scale, least.astype(np.float32))
    return QParams(weights.dtype, scale, weights.zero_point, weights.granularity)
