"""Merges what is there twice and drops what nothing needs."""

from __future__ import annotations

from octavo.ir.graph import Graph, Node, Operator
from octavo.passes.rewrite import Draft, rename_values, sweep, without_dead_code

__all__ = ["merge"]

LARGEST_COMPARED = 1 << 16


def merge(graph: Graph) -> Graph:
    """One of each.

    1. Nodes and constants that no output needs go away.
    2. Constants of the same type and bytes become one (those of more than 65536 elements are not compared), unless
       they are biases of layers with different weights or moments: each is corrected on its own.
    3. Nodes of the same operator and inputs become one, unless both are graph outputs.
    """
    return _merge_nodes(_merge_constants(without_dead_code(graph)))


def _merge_constants(graph: Graph) -> Graph:
    partners = _partners(graph)
    first: dict[tuple[object, ...], str] = {}
    names: dict[str, str] = {}
    for name in sorted(graph.consts, key=lambda name: name in partners):
        array = graph.consts[name]
        if array.size > LARGEST_COMPARED or name in graph.outputs:
            continue
        partner = names.get(partners.get(name, ""), partners.get(name))
        moments = tuple(part.tobytes() for part in graph.moments.get(name, ()))
        kept = first.setdefault((str(array.dtype), array.shape, array.tobytes(), partner, moments), name)
        if kept != name:
            names[name] = kept
    if not names:
        return graph
    types = {name: type for name, type in graph.types.items() if name not in names}
    consts = {name: array for name, array in graph.consts.items() if name not in names}
    nodes = rename_values(graph.with_(types={}, consts={}, inputs=(), outputs=()), names).nodes
    return graph.with_(types=types, consts=consts, nodes=nodes)


def _partners(graph: Graph) -> dict[str, str]:
    """The weights that go with a bias."""
    found = {}
    for node in graph.nodes:
        weight, bias = (getattr(node.op, part, None) for part in ("weight", "bias"))
        if weight is not None and bias is not None:
            found[node.inputs[bias]] = node.inputs[weight]
    return found


def _merge_nodes(graph: Graph) -> Graph:
    seen: dict[tuple[Operator, tuple[str, ...]], str] = {}

    def rule(draft: Draft, node: Node) -> str | None:
        key = (node.op, node.inputs)
        output = node.outputs[0]
        kept = seen.setdefault(key, output)
        if kept == output or (kept in graph.outputs and output in graph.outputs):
            return None
        return kept

    return sweep(graph, rule)
