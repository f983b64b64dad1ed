"""What each choice of each node costs: bytes of flash, multiply-accumulates weighted by bits, or estimated cycles.

Memory for activations is in none of them: an int16 region needs twice the arena.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.ir.plan import Quantized
from octavo.num.formats import WeightFormat
from octavo.num.levels import Grouped
from octavo.num.options import Option
from octavo.ops import Op, Requantize
from octavo.quant.mixed.sensitivities import Sensitivities

__all__ = ["KINDS", "REQUANTIZE_BYTES", "Budget", "Costs", "layer_costs", "node_cost"]

REQUANTIZE_BYTES = 32
"""Flash of a Requantize: its parameters and the call."""
_REQUANTIZE_MAC_BITS = 8 * 16
"""Of each element that a Requantize converts."""
_CONSTANT_BYTES = {"int8": 12, "int16": 16}
"""Multiplier, shift and bias of a channel: int32 each, the bias int64 for int16 activations."""


@dataclass(frozen=True)
class Budget:
    """At most ``amount`` of ``kind``: bytes, mac-bits or latency (estimated cycles)."""

    kind: str
    amount: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OctavoError(f"budget of {self.kind}", "is unknown", f"Use one of {', '.join(KINDS)}.")
        if not 0 < self.amount < float("inf"):
            raise OctavoError(f"budget of {self.amount:g} {self.kind}", "is not positive", "Give a positive number.")


@dataclass(frozen=True)
class Costs:
    """Costs of ``kind``: by node and choice, and of a Requantize by the value that it converts."""

    kind: str
    choices: Mapping[str, Mapping[str, float]]
    changes: Mapping[str, float]

    def __post_init__(self) -> None:
        frozen = {node: MappingProxyType(dict(choices)) for node, choices in self.choices.items()}
        object.__setattr__(self, "choices", MappingProxyType(frozen))


def layer_costs(graph: Graph, found: Sensitivities, kind: str, cycles: Mapping[str, float]) -> Costs:
    """The costs of every choice in ``found``, of one sample.

    bytes: weights packed at their bits, group factors, and for each channel multiplier, shift and bias (a
    Requantize: 32). mac-bits: macs * weight bits * activation bits; an element of any other node counts as a mac of 8
    weight bits. latency: macs (elements of other nodes) times ``cycles`` of the option's name; other nodes take int8's
    or 16x8's, a Requantize ``cycles["requantize"]`` for each element. OctavoError for an unknown kind.
    """
    if kind not in KINDS:
        raise OctavoError(f"budget of {kind}", "is unknown", f"Use one of {', '.join(KINDS)}.")
    measure, options = KINDS[kind], {option.name: option for option in found.options}
    nodes = {node.name: node for node in graph.nodes}
    choices = {
        name: {choice: measure(graph, nodes[name], choice, options.get(choice), cycles) for choice in noises}
        for name, noises in found.noise.items()
    }
    sizes = {value.name: graph.types[value.name].size for value in found.values}
    change = {"bytes": 0.0, "mac-bits": float(_REQUANTIZE_MAC_BITS), "latency": cycles["requantize"]}[kind]
    changes = {name: REQUANTIZE_BYTES if kind == "bytes" else change * size for name, size in sizes.items()}
    return Costs(kind, choices, changes)


def node_cost(quantized: Quantized, node: Node, kind: str, bits: int | None = None) -> float:
    """What a node of a quantized network costs in bytes or mac-bits, counted as ``layer_costs`` does.

    With ``bits`` as if its weights had so many.
    """
    graph, qparams = quantized.graph, quantized.plan.qparams
    if isinstance(node.op, Requantize):
        size = graph.types[node.outputs[0]].size
        return float(REQUANTIZE_BYTES if kind == "bytes" else _REQUANTIZE_MAC_BITS * size)
    activations = "int16" if qparams[node.outputs[0]].dtype == "int16" else "int8"
    option = _option(quantized, node, activations, bits) if _is_linear(node) else None
    return KINDS[kind](graph, node, activations, option, {})


def _option(quantized: Quantized, node: Node, activations: str, bits: int | None) -> Option:
    """What the plan has made of a linear layer."""
    assert isinstance(node.op, Op) and node.op.weight is not None
    levels = quantized.plan.qparams[node.inputs[node.op.weight]].levels
    bits = bits or levels.bits or 8
    if isinstance(levels, Grouped):
        return Option(node.name, WeightFormat(bits=bits, granularity="per-group", group_size=levels.size), activations)
    return Option(node.name, WeightFormat(bits=bits), activations)


def _is_linear(node: Node) -> bool:
    assert isinstance(node.op, Op)
    return node.op.weight is not None


def _macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of a linear layer, elements of another node's output."""
    assert isinstance(node.op, Op)
    if not _is_linear(node):
        return graph.types[node.outputs[0]].size
    return node.op.macs([graph.types[value] for value in node.inputs], [graph.types[node.outputs[0]]])


def _bytes(graph: Graph, node: Node, choice: str, option: Option | None, cycles: Mapping[str, float]) -> float:
    if option is None or not _is_linear(node):
        return 0.0
    assert isinstance(node.op, Op) and node.op.weight is not None
    type_ = graph.types[node.inputs[node.op.weight]]
    channels, weights = type_.shape[node.op.channel_axis], option.weights
    total = int(np.ceil(type_.size * weights.bits / 8)) + channels * _CONSTANT_BYTES[option.activations]
    if weights.granularity == "per-group":
        total += channels * -(-(type_.size // channels) // weights.group_size)
    return float(total)


def _mac_bits(graph: Graph, node: Node, choice: str, option: Option | None, cycles: Mapping[str, float]) -> float:
    if option is None or not _is_linear(node):
        return 8.0 * (16 if choice == "int16" else 8) * _macs(graph, node)
    return float(_macs(graph, node) * option.weights.bits * option.activation_bits)


def _latency(graph: Graph, node: Node, choice: str, option: Option | None, cycles: Mapping[str, float]) -> float:
    if option is None or not _is_linear(node):
        return cycles["16x8" if choice == "int16" else "int8"] * _macs(graph, node)
    return cycles[option.name] * _macs(graph, node)


KINDS: dict[str, Callable[[Graph, Node, str, Option | None, Mapping[str, float]], float]] = {
    "bytes": _bytes,
    "mac-bits": _mac_bits,
    "latency": _latency,
}
"""Kinds of costs by the name that users give."""
