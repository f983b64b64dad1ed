"""Finds what prepares a network's input: layers that must not learn, or the device would see other inputs."""

from __future__ import annotations

from octavo.ir.graph import Graph, Node
from octavo.ops import Add, DepthwiseConv2D, Mul, Requantize, Reshape, Sub

__all__ = ["preprocessing"]

_REASON = "normalises the network's input"


def preprocessing(graph: Graph) -> dict[str, str]:
    """By node the reason to freeze it.

    An affine function of each channel at the head, such as a batch norm that stands for (x - mean) / deviation: a
    1 x 1 DepthwiseConv2D with one output a channel (what a batch norm becomes that folds nowhere), or Mul, Add, Sub
    with a constant. What folded into the first layer's weights is no layer any more and trains with them.
    """
    at_head, found = set(graph.inputs), {}
    for node in graph.nodes:
        moving = [value for value in node.inputs if value not in graph.consts]
        if not set(moving) <= at_head or len(moving) != 1:
            continue
        if _is_affine(graph, node):
            found[node.name] = _REASON
            at_head.add(node.outputs[0])
        elif isinstance(node.op, Requantize | Reshape):
            at_head.add(node.outputs[0])
    return found


def _is_affine(graph: Graph, node: Node) -> bool:
    if isinstance(node.op, Mul | Add | Sub):
        return True
    if not isinstance(node.op, DepthwiseConv2D):
        return False
    weights, channels = graph.types[node.inputs[1]].shape, graph.types[node.inputs[0]].shape[-1]
    return weights == (1, 1, 1, channels) and node.op.stride == (1, 1) and node.op.activation.is_none
