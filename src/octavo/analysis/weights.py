"""Which weights a network has, and how to find them by the names that users know."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node
from octavo.ops import DepthwiseConv2D, Op

__all__ = ["LayerWeights", "find_layer", "find_tensor", "layer_weights"]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """The weights of a layer. ``sharing`` output channels read the same window of the input."""

    layer: str
    source: str
    kind: str
    tensor: str
    values: Array
    channel_axis: int
    sharing: int
    macs: int


def layer_weights(graph: Graph) -> tuple[LayerWeights, ...]:
    """Every layer whose weights are constants, in order."""
    found = (_weights(graph, node) for node in graph.nodes)
    return tuple(entry for entry in found if entry is not None)


def _weights(graph: Graph, node: Node) -> LayerWeights | None:
    op = node.op
    if not isinstance(op, Op) or op.weight is None or node.inputs[op.weight] not in graph.consts:
        return None
    tensor = node.inputs[op.weight]
    values = graph.consts[tensor]
    channels = values.shape[op.channel_axis]
    groups = getattr(op, "groups", 1)
    if isinstance(op, DepthwiseConv2D):
        groups = graph.types[node.inputs[0]].shape[-1]
    types = [graph.types[name] for name in node.inputs], [graph.types[name] for name in node.outputs]
    source = node.source or node.name
    return LayerWeights(
        node.name, source, node.kind, tensor, values, op.channel_axis, max(1, channels // groups), int(op.macs(*types))
    )


def find_layer(graph: Graph, name: str) -> LayerWeights:
    """A layer by the name of its node, its source, or the name in the user's file with which its source ends."""
    layers = layer_weights(graph)
    exact = [entry for entry in layers if entry.layer == name] or [entry for entry in layers if entry.source == name]
    found = exact or [entry for entry in layers if entry.source.endswith((f" {name}", f"({name})"))]
    if len(found) > 1:
        names = ", ".join(entry.layer for entry in found[:8])
        raise OctavoError(f"layer {name}", f"is the source of {len(found)} layers", f"Use one of {names}.")
    if not found:
        known = [
            text
            for entry in layers
            for text in (entry.layer, entry.source.split(" ")[-1].removeprefix("(").removesuffix(")"))
        ]
        raise OctavoError(f"layer {name}", "is unknown or has no weights", _near(name, known))
    return found[0]


def find_tensor(graph: Graph, name: str) -> LayerWeights | None:
    """The layer that a weight tensor belongs to; None when ``name`` is an activation."""
    layers = layer_weights(graph)
    for entry in layers:
        if entry.tensor == name:
            return entry
    if name in graph.activations():
        return None
    known = [*(entry.tensor for entry in layers), *graph.activations()]
    why = "is a constant, but no layer's weights" if name in graph.consts else "is unknown"
    raise OctavoError(f"tensor {name}", why, _near(name, known))


def _near(name: str, known: Iterable[str]) -> str:
    """A remedy with the names that are most alike."""
    names = list(dict.fromkeys(known))
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.3)
    near = near or [text for text in names if name.lower() in text.lower()][:5] or names[:5]
    return f"Use one of {', '.join(near)}." if near else "octavo inspect MODEL shows the network."
