"""A concatenation of channels without code: layers write their pixels where these belong in the larger image.

A part is written in place when its kernel can put pixels apart (``Placeable``) and nothing else reads it. What is left
is copied to its place as soon as it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from octavo.ir.graph import Graph, Node
from octavo.ops.base import Placeable
from octavo.ops.half import HalfPlace
from octavo.ops.integer.interleave import QInterleave, QPlace, QPlace16
from octavo.ops.integer.movement import QConcat

__all__ = ["interleaved"]

_PLACES = {"int8": QPlace, "int16": QPlace16, "float16": HalfPlace}


def interleaved(graph: Graph, node: Node) -> Graph | None:
    """The graph with the QConcat ``node`` as places in its output; None where no layer can write its part in place."""
    op = node.op
    assert isinstance(op, QConcat)
    parts = [value for value in node.inputs if value not in graph.consts]
    channels = [graph.types[value].shape[-1] for value in parts]
    if op.outer == 1 or sum(channels) != op.out_stride or len(parts) != op.count:
        return None
    written = {value: made for value in parts if (made := _in_place(graph, value, op.out_stride)) is not None}
    if not written:
        return None
    by_name = {made.name: made for made in written.values()}
    types, places = dict(graph.types), []
    for index, value in enumerate(parts):
        if value in written:
            continue
        type_ = types[value]
        copy, kind = f"{node.name}:place{index}", _PLACES[type_.dtype]
        places.append(
            Node(
                copy,
                kind(type_.size // channels[index], channels[index], op.out_stride),
                (value,),
                (copy,),
                node.source,
            )
        )
        types[copy], parts[index] = type_, copy
    whole = replace(node, op=QInterleave(graph.types[node.outputs[0]].shape), inputs=tuple(parts))
    nodes: list[Node] = []
    for old in graph.nodes:
        nodes += [*places, whole] if old is node else [by_name.get(old.name, old)]
    return graph.with_(nodes=tuple(nodes), types=types)


def _in_place(graph: Graph, value: str, stride: int) -> Node | None:
    """The node that makes a value, with its pixels so far apart; None where that cannot be."""
    node = graph.producers().get(value)
    readers: Sequence[Node] = graph.consumers().get(value, [])
    if node is None or not isinstance(node.op, Placeable) or value in graph.outputs:
        return None
    if len(readers) != 1 or readers[0].inputs.count(value) != 1:
        return None
    placed = node.op.placed(stride)
    return None if placed is None else replace(node, op=placed)
