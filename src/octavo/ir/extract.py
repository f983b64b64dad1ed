"""A part of a graph as a graph of its own."""

from __future__ import annotations

from collections.abc import Sequence

from octavo.ir.graph import Graph, Node

__all__ = ["extract"]


def extract(graph: Graph, nodes: Sequence[Node]) -> Graph:
    """The graph of ``nodes`` (in order): it reads what they read from outside and gives what is read outside."""
    made = {output for node in nodes for output in node.outputs}
    names = {node.name for node in nodes}
    read = list(dict.fromkeys(value for node in nodes for value in node.inputs))
    outside = {value for node in graph.nodes if node.name not in names for value in node.inputs} | set(graph.outputs)
    inputs = tuple(value for value in read if value not in made and value not in graph.consts)
    outputs = tuple(value for node in nodes for value in node.outputs if value in outside)
    consts = {value: graph.consts[value] for value in read if value in graph.consts}
    types = {value: graph.types[value] for value in (*read, *made)}
    return Graph(graph.name, inputs, outputs, tuple(nodes), types, consts, moments=graph.moments)
