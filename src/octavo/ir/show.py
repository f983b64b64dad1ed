"""The readable text form of a graph: one line a node."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from octavo.ir.graph import Graph, Node

__all__ = ["show"]


def show(graph: Graph) -> str:
    """The graph as text: inputs, one line a node (``output: type = Operator(attributes) inputs``), outputs.

    Constants are written as their type in brackets.
    """
    lines = [f"graph {graph.name}"]
    lines += [f"  input  {name}: {graph.types[name]}{_layout(graph, name)}" for name in graph.inputs]
    width = max((len(output) for node in graph.nodes for output in node.outputs), default=0)
    lines += [f"  {_node(graph, node, width)}" for node in graph.nodes]
    lines += [f"  output {name}: {graph.types[name]}{_layout(graph, name)}" for name in graph.outputs]
    return "\n".join(lines)


def _layout(graph: Graph, name: str) -> str:
    return f"  (user's axes permuted by {list(graph.layouts[name])})" if name in graph.layouts else ""


def _node(graph: Graph, node: Node, width: int) -> str:
    outputs = ", ".join(f"{name:<{width}}: {graph.types[name]!s:<24}" for name in node.outputs)
    inputs = ", ".join(f"<{name} {graph.types[name]}>" if graph.is_const(name) else name for name in node.inputs)
    source = f"   # {node.source}" if node.source and node.source != node.name else ""
    return f"{outputs} = {node.kind}{_attributes(node.op)} {inputs}{source}"


def _attributes(op: object) -> str:
    if not is_dataclass(op):
        return ""
    changed = [f for f in fields(op) if getattr(op, f.name) != f.default]
    return "(" + ", ".join(f"{f.name}={_value(getattr(op, f.name))}" for f in changed) + ")"


def _value(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__ + _attributes(value)
    return str(value)
