"""Layers in pieces: blocks of output channels, each with constants of its own, so that none needs a large buffer.

A convolution or fully connected layer computes every output channel from the whole input and that channel's constants
alone. The pieces are layers like any other, with kernels, packed constants and places in memory of their own; an
operator joins their outputs. Of a single vector or pixel the pieces lie side by side and joining is no code; of an
image channels interleave, and it is a copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from octavo.ir.graph import Array, Node, TensorType
from octavo.lower.lower import IntegerModel
from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D, QConv2D16
from octavo.ops.integer.fully_connected import QFullyConnected, QFullyConnected16
from octavo.ops.integer.movement import QConcat, QConcat16, QJoin

__all__ = ["channels_in_pieces", "in_pieces", "piece"]

_CONCAT = {"int8": QConcat, "int16": QConcat16}


def channels_in_pieces(node: Node) -> int:
    """Output channels of a layer that can be computed in pieces; 0 for all others."""
    op = node.op
    if type(op) in (QConv2D, QConv2D16) and op.groups == 1:  # type: ignore[attr-defined]
        return int(op.out_c)  # type: ignore[attr-defined]
    return int(op.out_features) if type(op) in (QFullyConnected, QFullyConnected16) else 0  # type: ignore[attr-defined]


def piece(op: IntegerOp, consts: tuple[Array, ...], start: int, stop: int) -> tuple[IntegerOp, tuple[Array, ...]]:
    """The layer that computes channels ``start`` to ``stop``, and its constants: weights, bias, multiplier, shift."""
    made: Any = op
    size = {"out_c" if isinstance(op, QConv2D) else "out_features": stop - start}
    weights, bias, *rest = consts
    ends = [array[start:stop] if made.per_channel else array for array in rest]
    return replace(made, **size), (weights[start:stop], bias[start:stop], *ends)


def in_pieces(model: IntegerModel, sizes: Mapping[str, int]) -> IntegerModel:
    """The model with each node in ``sizes`` computed so many output channels at a time: same values, same integers."""
    graph, encodings = model.graph, dict(model.encodings)
    consts, types = dict(graph.consts), dict(graph.types)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.name not in sizes:
            nodes.append(node)
            continue
        assert isinstance(node.op, IntegerOp)
        output, parts = node.outputs[0], []
        own = tuple(graph.consts[value] for value in node.inputs[1:])
        channels = channels_in_pieces(node)
        for start in range(0, channels, sizes[node.name]):
            op, arrays = piece(node.op, own, start, min(start + sizes[node.name], channels))
            name = f"{node.name}:channels{start}"
            names = [f"{name}:{value}" for value in ("weights", "bias", "multiplier", "shift")]
            for const, array in zip(names, arrays, strict=True):
                consts[const], types[const] = array, TensorType(tuple(array.shape), str(array.dtype))
            part = f"{output}:channels{start}"
            types[part] = TensorType((*types[output].shape[:-1], len(arrays[1])), types[output].dtype)
            encodings[part] = encodings[output]
            nodes.append(Node(name, op, (node.inputs[0], *names), (part,), node.source))
            parts.append(part)
        nodes.append(_joined(node, parts, types, consts))
    used = {value for node in nodes for value in node.inputs}
    kept = {name: array for name, array in consts.items() if name in used}
    left = {name: type_ for name, type_ in types.items() if name in kept or name not in consts}
    return IntegerModel(graph.with_(nodes=tuple(nodes), consts=kept, types=left), encodings)


def _joined(node: Node, parts: list[str], types: dict[str, TensorType], consts: dict[str, Array]) -> Node:
    """The node that makes the layer's output of its parts; ``types`` and ``consts`` get what it needs."""
    whole = types[node.outputs[0]]
    channels = whole.shape[-1]
    if whole.size == channels:
        return Node(f"{node.name}:join", QJoin(whole.shape), tuple(parts), node.outputs, node.source)
    sizes = f"{node.name}:join:sizes"
    consts[sizes] = np.array([types[part].shape[-1] for part in parts], np.int32)
    types[sizes] = TensorType((len(parts),), "int32")
    shape: Any = (*(1,) * (5 - len(whole.shape)), *whole.shape)
    op = _CONCAT[whole.dtype](whole.size // channels, len(parts), channels, shape)
    return Node(f"{node.name}:join", op, (*parts, sizes), node.outputs, node.source)
