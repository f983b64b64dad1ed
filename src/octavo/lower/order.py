"""The order in which an integer graph's nodes run: the one that holds fewest bytes at once."""

from __future__ import annotations

from octavo.ir.graph import Graph
from octavo.lower.liveness import scratch_bytes, sharing
from octavo.memory import Step, schedule

__all__ = ["in_order"]


def in_order(graph: Graph) -> Graph:
    """The graph with its nodes in an order that lowers the peak of the arena, or as it is when none does."""
    steps = [Step(node.inputs, node.outputs, scratch_bytes(node)) for node in graph.nodes]
    sizes = {name: graph.types[name].nbytes for name in graph.activations()}
    views, overlaps = sharing(graph)
    order = schedule(steps, sizes, graph.outputs, views, overlaps)
    return graph.with_(nodes=tuple(graph.nodes[index] for index in order))
