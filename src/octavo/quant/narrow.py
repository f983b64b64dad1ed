"""Which activations may have fewer bits than their dtype, in formats that ask for it.

Those that an operator makes that clamps its output: layers with weights, sums, differences and products, functions by
table, and what shares the encoding of one. The network's inputs and outputs keep all bits, and so do means and what has
a fixed encoding (a softmax, a sigmoid).
"""

from __future__ import annotations

from octavo.ir.graph import Graph
from octavo.ops import Op
from octavo.ops.base import Share
from octavo.quant.place import place

__all__ = ["narrow_values"]


def narrow_values(graph: Graph) -> set[str]:
    """The activations that may be narrow, of a graph that ``align`` has prepared."""
    placement = place(graph)
    whole = {*placement.fixed, *(placement.groups[value] for value in (*graph.inputs, *graph.outputs))}
    for node in graph.nodes:
        assert isinstance(node.op, Op)
        if not node.op.clamps and not isinstance(node.op.constraint(), Share):
            whole.add(placement.groups[node.outputs[0]])
    return {value for value in graph.activations() if placement.groups[value] not in whole}
