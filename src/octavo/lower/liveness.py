"""Lives of the values of an integer graph, in the terms of the memory planner."""

from __future__ import annotations

import numpy as np

from octavo.errors import OctavoError
from octavo.ir.graph import Graph, Node
from octavo.lower.streaming import Streaming, stream_buffers
from octavo.memory import Arena, Buffer, InPlace, plan_memory, verify
from octavo.ops.base import IntegerOp

__all__ = ["liveness", "plan_arena", "scratch_name"]


def scratch_name(node: Node) -> str:
    """The name under which a node's working memory is planned."""
    return f"{node.name}:scratch"


def liveness(graph: Graph) -> tuple[list[Buffer], list[tuple[str, str]], list[InPlace]]:
    """(values, aliases, in-place pairs). Step i is node i; inputs live from step 0, outputs to the end."""
    steps = max(len(graph.nodes), 1)
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    aliases: list[tuple[str, str]] = []
    in_place: list[InPlace] = []
    for step, node in enumerate(graph.nodes):
        op, output = node.op, node.outputs[0]
        assert isinstance(op, IntegerOp)
        first[output] = last[output] = step
        for value in node.inputs:
            if value not in graph.consts:
                last[value] = step
        if op.alias:
            aliases.append((output, node.inputs[0]))
        for index in op.in_place:
            value = node.inputs[index]
            fits = value not in graph.consts and graph.types[value] == graph.types[output]
            if fits and node.inputs.count(value) == 1:
                in_place.append((output, value, step))
    for value in graph.outputs:
        last[value] = steps - 1
    values = [Buffer(name, graph.types[name].nbytes, first[name], last[name]) for name in graph.activations()]
    for step, node in enumerate(graph.nodes):
        if isinstance(node.op, IntegerOp) and node.op.scratch():
            values.append(Buffer(scratch_name(node), node.op.scratch(), step, step))
    return values, aliases, in_place


def plan_arena(graph: Graph, alignment: int = 4, streaming: Streaming | None = None) -> Arena:
    """The checked arena plan of an integer graph; offsets are multiples of ``alignment`` and of all element sizes."""
    if any(name in graph.consts for name in graph.outputs):
        raise OctavoError(graph.name, "an output does not depend on the input", "Remove the constant output.")
    streaming = streaming or Streaming()
    values, aliases, in_place = liveness(graph)
    values += stream_buffers(graph, streaming)
    widest = max(np.dtype(graph.types[name].dtype).itemsize for name in graph.activations())
    alignment = max(alignment, widest, streaming.alignment)
    arena = plan_memory(values, aliases, in_place, alignment)
    verify(arena, values, aliases, in_place)
    return arena
