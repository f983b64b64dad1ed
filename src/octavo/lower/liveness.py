"""Lives of the values of an integer graph, in the terms of the memory planner."""

from __future__ import annotations

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.lower.streaming import Streaming, stream_buffers
from octavo.memory import Arena, Buffer, Overlap, View, plan_memory, verify
from octavo.ops.base import IntegerOp

__all__ = ["liveness", "plan_arena", "scratch_bytes", "scratch_name", "sharing"]


def scratch_name(node: Node) -> str:
    """The name under which a node's working memory is planned."""
    return f"{node.name}:scratch"


def liveness(graph: Graph) -> tuple[list[Buffer], list[View], list[Overlap]]:
    """(values, views, overlaps). Step i is node i; inputs live from step 0.

    Outputs live beyond the last node, to the step in which they are copied out: no node may write over them.
    """
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for step, node in enumerate(graph.nodes):
        first[node.outputs[0]] = step
        last |= dict.fromkeys((node.outputs[0], *(value for value in node.inputs if value not in graph.consts)), step)
    last |= dict.fromkeys(graph.outputs, len(graph.nodes))
    sizes = {name: graph.types[name].nbytes for name in graph.inputs}
    sizes |= {node.outputs[0]: _integer(node).extent(graph.types[node.outputs[0]]) for node in graph.nodes}
    values = [Buffer(name, sizes[name], first[name], last[name]) for name in graph.activations()]
    for step, node in enumerate(graph.nodes):
        if bytes_ := scratch_bytes(node):
            values.append(Buffer(scratch_name(node), bytes_, step, step))
    return values, *sharing(graph)


def scratch_bytes(node: Node) -> int:
    """Bytes of working memory that an integer node needs while it runs."""
    return _integer(node).scratch()


def _integer(node: Node) -> IntegerOp:
    assert isinstance(node.op, IntegerOp)
    return node.op


def sharing(graph: Graph) -> tuple[list[View], list[Overlap]]:
    """(views, overlaps) of the nodes: what their operators say about the memory of inputs and output."""
    views: list[View] = []
    overlaps: list[Overlap] = []
    for step, node in enumerate(graph.nodes):
        op, output = _integer(node), node.outputs[0]
        if op.alias:
            views += _views(graph, node)
        consts = (graph.consts[value] for value in node.inputs if value in graph.consts)
        for index, distance in op.overlaps(*consts).items():
            if node.inputs[index] not in graph.consts:
                overlaps.append(Overlap(output, node.inputs[index], step, *distance))
    return views, overlaps


def _views(graph: Graph, node: Node) -> list[View]:
    """Of an operator that copies nothing: its output lies where its input does, or its inputs side by side in it."""
    moving = [value for value in node.inputs if value not in graph.consts]
    size = np.dtype(graph.types[node.outputs[0]].dtype).itemsize
    if len(moving) == 1:
        return [View(node.outputs[0], moving[0], _integer(node).alias_start() * size)]
    starts = _integer(node).alias_starts([graph.types[value] for value in moving])
    return [View(value, node.outputs[0], start * size) for value, start in zip(moving, starts, strict=True)]


def plan_arena(graph: Graph, alignment: int = 4, streaming: Streaming | None = None) -> Arena:
    """The checked arena plan of an integer graph; offsets are multiples of ``alignment`` and of all element sizes."""
    if any(name in graph.consts for name in graph.outputs):
        raise OctavoError(graph.name, "an output does not depend on the input", "Remove the constant output.")
    for node in graph.nodes:
        if isinstance(node.op, IntegerOp) and node.op.alias and node.inputs[0] in graph.consts:
            raise OctavoError(node.source or node.name, "reshapes a constant", "Store the constant in its last shape.")
    streaming = streaming or Streaming()
    values, views, overlaps = liveness(graph)
    values += stream_buffers(graph, streaming)
    widest = max(np.dtype(graph.types[name].dtype).itemsize for name in graph.activations())
    alignment = max(alignment, widest, streaming.alignment)
    arena = plan_memory(values, views, overlaps, alignment)
    verify(arena, values, views, overlaps)
    return arena
