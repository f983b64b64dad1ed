"""From a float graph and what calibration saw of it to a Quantized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ir.plan import Quantized, bias_names, make_plan
from octavo.num.formats import AFFINE, FORMATS, ActivationFormat, Format, WeightFormat
from octavo.num.levels import All, Between
from octavo.num.qparams import QParams
from octavo.num.statistics import Range
from octavo.ops import Maximum, Minimum, Op, Prelu, Softmax
from octavo.ops.base import Fixed
from octavo.ops.linear import least_scale
from octavo.quant.narrow import narrow_values
from octavo.quant.observe import Batch, Observation, Progress, observe
from octavo.quant.place import Placement, align, place
from octavo.quant.ranges.weights import weight_qparams
from octavo.quant.regions import kept_narrow, value_dtypes, wide_format

__all__ = ["Scheme", "activation_qparams", "quantize_graph", "quantize_observed"]

_SLOPES = ActivationFormat(symmetric=True)


@dataclass(frozen=True)
class Scheme:
    """What to quantize to, and by which range methods.

    ``layers`` gives some nodes (by name) other weights. ``wide`` names the nodes whose inputs and output are int16
    while the format's activations are int8; the network's own inputs and outputs stay int8.
    """

    format: Format = FORMATS["affine"]
    ranges: str = "moving-average"
    weight_ranges: str = "minmax"
    layers: Mapping[str, WeightFormat] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()

    @property
    def detail(self) -> bool:
        """Whether calibration must keep histograms."""
        return self.ranges not in ("minmax", "moving-average")

    def weights(self, node: Node) -> WeightFormat:
        """The weight format of a node."""
        return self.layers.get(node.name, self.format.weights)

    @property
    def region(self) -> frozenset[str]:
        """The names of the nodes that are int16 among int8 ones: none where all activations are int16 anyway."""
        return frozenset() if self.format.activations.dtype == "int16" else self.wide

    def activations(self, graph: Graph) -> dict[str, ActivationFormat]:
        """The format of every activation of a graph that ``align`` has prepared."""
        own = self.format.activations
        found = dict.fromkeys(graph.activations(), own)
        if self.region:
            formats = {"int8": own, "int16": wide_format(self.format)}
            found = {value: formats[dtype] for value, dtype in value_dtypes(graph, self.region).items()}
        if own.narrow:
            whole = set(found) - narrow_values(graph)
            found |= {value: own.whole() for value in whole if found[value] == own}
        return found


def activation_qparams(low: float, high: float, format: ActivationFormat = AFFINE) -> QParams:
    """The encoding of the range [low, high], widened to hold 0 exactly (Jacob et al. 2018, section 3).

    Affine int8 uses all 256 levels; symmetric int8 and int16 scale the larger end to 127 or 32,767; power-of-two takes
    the least scale 2^k that holds the range. Formats of fewer bits do the same with their integers. A range of nothing
    but zero gets scale 1.
    """
    if format.dtype == "float16":
        return QParams("float16", np.ones(1, np.float32), np.zeros(1, np.int32))
    low, high = min(low, 0.0), max(high, 0.0)
    least, most = format.integers(low == 0.0)
    scale = np.float32(max(-low, high) / most if format.symmetric else (high - low) / (most - least))
    if scale < np.finfo(np.float32).tiny:
        scale = np.float32(1.0)
    elif format.power_of_two:
        # A hair of slack: range methods give 127 * 2^k.
        scale = np.float32(2.0 ** np.ceil(np.log2(float(scale)) - 1e-6))
    zero_point = 0 if format.symmetric else int(np.clip(np.rint(least - low / float(scale)), least, most))
    levels = Between(least, most) if format.narrow else All()
    return QParams(format.dtype, np.array([scale]), np.array([zero_point]), levels=levels)


def quantize_graph(
    graph: Graph,
    calibration: Iterable[Batch],
    scheme: Scheme = Scheme(),
    progress: Progress | None = None,
    target: str = "",
) -> Quantized:
    """Quantize a normalised float graph; ``calibration`` yields batches [N, ...] in the user's axis order."""
    graph = align(graph, scheme.region)
    return quantize_observed(graph, observe(graph, calibration, progress, scheme.detail), scheme, target)


def quantize_observed(graph: Graph, observation: Observation, scheme: Scheme, target: str = "") -> Quantized:
    """Quantize a graph that ``align`` has prepared and of whose activations ``observation`` tells.

    The plan's notes name the nodes of ``scheme.wide`` that stay int8 because they have no int16 form.
    """
    placement, formats = place(graph), scheme.activations(graph)
    ranges: dict[str, Range] = {}
    for format in sorted(set(formats.values()), key=lambda format: (format.dtype, format.width)):
        found = observation.ranges(scheme.ranges, format)
        ranges |= {value: span for value, span in found.items() if formats.get(value) == format}
    qparams, reasons = _activations(graph, placement, ranges, scheme, formats)
    reasons |= {value: f"{reasons[value]}; {note}" for value, note in observation.notes.items()}
    for node in graph.nodes:
        _constants(graph, node, qparams, reasons, scheme, formats[node.outputs[0]])
    notes = tuple(
        f"{node.source or node.name} stays int8: {node.kind} has no int16 form here"
        for node in kept_narrow(graph, scheme.region)
    )
    return Quantized(graph, make_plan(graph, qparams, placement.groups, reasons, target)).with_(notes=notes)


def _activations(
    graph: Graph,
    placement: Placement,
    observed: Mapping[str, Range],
    scheme: Scheme,
    formats: Mapping[str, ActivationFormat],
) -> tuple[dict[str, QParams], dict[str, str]]:
    """Encodings of all placed values: the group's range is the union of its members'."""
    cut = _cut_values(graph)
    group_formats = {placement.groups[value]: format for value, format in formats.items()}
    wide: dict[str, Range] = {}
    for value, root in placement.groups.items():
        if value in cut:
            continue
        low, high = observed[value] if value in observed else _extent(graph.consts[value])
        other = wide.get(root, (low, high))
        wide[root] = min(low, other[0]), max(high, other[1])
    softmax = {placement.groups[node.outputs[0]] for node in graph.nodes if isinstance(node.op, Softmax)}
    encodings: dict[str, QParams] = {}
    for root, (low, high) in wide.items():
        fixed, format = placement.fixed.get(root), group_formats[root]
        if fixed is None or format.dtype == "float16":
            encodings[root] = activation_qparams(low, high, format)
        else:
            encodings[root] = _fixed(fixed, format, root in softmax)
    reasons = {value: placement.reasons.get(value, f"{scheme.ranges} range") for value in placement.groups}
    return {value: encodings[root] for value, root in placement.groups.items()}, reasons


def _cut_values(graph: Graph) -> set[str]:
    """Values that only a Minimum or Maximum with a constant reads, and that constant.

    What the clamp cuts off may saturate: the range is that of the clamp's result.
    """
    readers = graph.consumers()
    found: set[str] = set()
    for node in graph.nodes:
        if isinstance(node.op, Minimum | Maximum) and any(value in graph.consts for value in node.inputs):
            found |= {v for v in node.inputs if len(readers[v]) == 1 and v not in (*graph.outputs, *graph.inputs)}
    return found


def _fixed(fixed: Fixed, format: ActivationFormat, softmax: bool) -> QParams:
    """An operator's own encoding as the format can have it.

    int8 softmax keeps TensorFlow Lite's in every format. In formats without zero_point a sigmoid's [0, 1] takes scale
    1/128; int16 has the operator's own scale.
    """
    scale, zero_point = fixed.scale, fixed.zero_point
    if format.dtype == "int16":
        scale, zero_point = fixed.scale16 or fixed.scale / 256, 0
    elif format.symmetric and zero_point != 0 and not softmax:
        scale, zero_point = scale * 2, 0
    return QParams(format.dtype, np.array([scale], np.float32), np.array([zero_point]))


def _extent(array: Array) -> Range:
    return float(array.min()), float(array.max())


def _constants(
    graph: Graph,
    node: Node,
    qparams: dict[str, QParams],
    reasons: dict[str, str],
    scheme: Scheme,
    format: ActivationFormat,
) -> None:
    """Encodings of the constants that a node with activations of ``format`` reads; biases have none of their own."""
    op = node.op
    assert isinstance(op, Op)
    skip = bias_names(graph)
    for index, value in enumerate(node.inputs):
        if value not in graph.consts or value in qparams or value in skip:
            continue
        if index == op.weight:
            weights = scheme.weights(node)
            encoding = weight_qparams(graph.consts[value], weights, op.channel_axis, scheme.weight_ranges)
            qparams[value] = _fit_bias(graph, node, encoding, qparams)
            reasons[value] = f"{weights.kind} {weights.granularity} weights of {weights.bits} bits"
        else:
            slopes = isinstance(op, Prelu) and format.dtype == "int16"
            own = _SLOPES if slopes else format.whole()
            qparams[value] = activation_qparams(*_extent(graph.consts[value]), own)
            reasons[value] = "a constant operand"


def _fit_bias(graph: Graph, node: Node, weights: QParams, qparams: Mapping[str, QParams]) -> QParams:
    """Widen the scale of vanishing channels until their bias fits in 30 bits."""
    op = node.op
    assert isinstance(op, Op)
    if op.bias is None or weights.dtype == "float16":
        return weights
    bias_name, source = node.inputs[op.bias], node.source or node.name
    if bias_name not in graph.consts:
        raise OctavoError(source, "its bias is not a constant", "Make the bias a constant of the model.")
    least = least_scale(graph.consts[bias_name], qparams[node.inputs[0]])
    if weights.scale.size == 1:
        least = least.max(keepdims=True)
    if (least > weights.scale).any() and bool(np.all(np.frexp(weights.scale)[0] == 0.5)):
        least = np.exp2(np.ceil(np.log2(np.maximum(least, 1e-30))))
    scale = np.maximum(weights.scale, least.astype(np.float32))
    return QParams(weights.dtype, scale, weights.zero_point, weights.granularity, weights.levels)
