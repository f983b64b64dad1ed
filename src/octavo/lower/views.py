"""Joins and slices that are names for bytes that exist already: no code, and no memory of their own.

1. A concatenation whose parts lie one after the other in the output (along the outermost axis that is not 1): each part
   is computed where it belongs. A part can lie in one place only: it must not be a part of something else.
2. A concatenation of channels whose layers can put their pixels apart (octavo.lower.interleave).
3. A slice whose elements lie one after the other in its input.

Parts must begin at a multiple of ``ALIGNMENT`` bytes, as all values do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from octavo.ir.graph import Graph, Node
from octavo.lower.interleave import interleaved
from octavo.lower.liveness import liveness
from octavo.memory import held
from octavo.ops.integer.access import strided
from octavo.ops.integer.movement import QConcat, QJoin, QPart, QReshape, QSlice

__all__ = ["ALIGNMENT", "with_views"]

ALIGNMENT = 4


def with_views(graph: Graph, alignment: int = ALIGNMENT) -> Graph:
    """The integer graph with its joins and slices as views, where they can be and no step must hold more for it.

    A view keeps the bytes of the whole as long as any part of it lives, so it can cost memory instead of saving it.
    """
    roots: dict[str, str] = {}
    placed: set[str] = set()
    least: int | None = None
    for node in graph.nodes:
        op, own = node.op, [node.outputs[0]]
        changed: Graph | None = None
        if isinstance(op, QReshape):
            roots[node.outputs[0]] = roots.get(node.inputs[0], node.inputs[0])
        elif isinstance(op, QSlice) and _is_part(graph, node, alignment):
            view = replace(node, op=QPart(graph.types[node.outputs[0]].shape, op.offset))
            changed = _with(graph, view)
        elif isinstance(op, QConcat) and op.outer == 1:
            parts = [value for value in node.inputs if value not in graph.consts]
            own = [roots.get(value, value) for value in parts]
            if len(set(own)) == len(own) and not placed & set(own) and _starts(graph, parts, alignment):
                view = replace(node, op=QJoin(graph.types[node.outputs[0]].shape), inputs=tuple(parts))
                changed = _with(graph, view)
        elif isinstance(op, QConcat) and node.outputs[0] not in placed:
            changed = interleaved(graph, node)
        if changed is None:
            continue
        least = max(held(*liveness(graph))) if least is None else least
        most = max(held(*liveness(changed)))
        if most <= least:
            graph, least = changed, most
            placed |= set(own)
    used = {value for node in graph.nodes for value in node.inputs}
    consts = {name: array for name, array in graph.consts.items() if name in used}
    types = {name: type_ for name, type_ in graph.types.items() if name in consts or name not in graph.consts}
    return graph.with_(consts=consts, types=types)


def _with(graph: Graph, node: Node) -> Graph:
    """The graph with another node of the same name."""
    return graph.with_(nodes=tuple(node if old.name == node.name else old for old in graph.nodes))


def _is_part(graph: Graph, node: Node, alignment: int) -> bool:
    """Whether the elements of a slice lie one after the other, from an aligned place on."""
    op: Any = node.op
    if node.inputs[0] in graph.consts:
        return False
    read = strided(op.out_shape, op.in_stride, op.offset)
    together = bool(np.array_equal(read, np.arange(op.offset, op.offset + len(read))))
    return together and op.offset * np.dtype(op.dtype).itemsize % alignment == 0


def _starts(graph: Graph, parts: list[str], alignment: int) -> bool:
    """Whether each part begins at an aligned place."""
    sizes = [graph.types[value].nbytes for value in parts]
    return all(sum(sizes[:index]) % alignment == 0 for index in range(len(sizes)))
