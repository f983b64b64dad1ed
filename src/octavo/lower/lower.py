"""The only place where float scales become integer multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from octavo.errors import OctavoError
from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.ir.plan import Quantized
from octavo.lower.order import in_order
from octavo.num.qparams import QParams
from octavo.ops import Op
from octavo.ops.base import Site

__all__ = ["IntegerModel", "lower"]


@dataclass(frozen=True)
class IntegerModel:
    """An integer graph, and the encoding of each of its activations."""

    graph: Graph
    encodings: Mapping[str, QParams]

    def __post_init__(self) -> None:
        object.__setattr__(self, "encodings", MappingProxyType(dict(self.encodings)))


def lower(quantized: Quantized) -> IntegerModel:
    """Turn every node into its integer operator with all parameters computed, in the order that needs least memory.

    Raises OctavoError naming the node that has no integer form.
    """
    graph, qparams = quantized.graph, quantized.plan.qparams
    nodes: list[Node] = []
    consts: dict[str, Array] = {}
    types = {name: TensorType(graph.types[name].shape, qparams[name].dtype) for name in graph.inputs}
    for node in graph.nodes:
        op = node.op
        assert isinstance(op, Op)
        where = node.source or node.name
        try:
            lowered = op.lower(Site(node, quantized))
        except NotImplementedError as error:
            raise OctavoError(
                where, f"{node.kind} has no integer form", "Replace the layer, or cut the network before it."
            ) from error
        names = {key: f"{node.name}:{key}" for key in lowered.consts}
        for key, array in lowered.consts.items():
            consts[names[key]] = array
            types[names[key]] = TensorType(tuple(array.shape), str(array.dtype))
        inputs = tuple(node.inputs[part] if isinstance(part, int) else names[part] for part in lowered.inputs)
        output = node.outputs[0]
        types[output] = TensorType(graph.types[output].shape, qparams[output].dtype)
        nodes.append(Node(node.name, lowered.op, inputs, node.outputs, node.source))
    integer = in_order(Graph(graph.name, graph.inputs, graph.outputs, tuple(nodes), types, consts, graph.layouts))
    return IntegerModel(integer, {name: qparams[name] for name in integer.activations()})
