"""Which channels of a network belong together, so that all of them get more or fewer at once.

1. A convolution without groups and a fully connected layer end a set and begin another.
2. Depthwise layers with one output a channel, pools, means over pixels, elementwise functions, resizes and reshapes
   that keep channels last (a flattened image has each channel several times) join what they read with what they give.
3. What else touches a value holds its set as it is, and so does an input or output of the network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from octavo.ir.graph import Graph, Node
from octavo.ops import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Log,
    Maximum,
    MaxPool2D,
    Mean,
    Minimum,
    Mul,
    Pad,
    Prelu,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Rsqrt,
    Sub,
    Unary,
)

__all__ = ["ChannelSet", "channel_sets", "ends"]

_BINARY = Add | Sub | Mul | Maximum | Minimum
_THROUGH = AveragePool2D | MaxPool2D | Prelu | ResizeBilinear | ResizeNearest


@dataclass(frozen=True)
class ChannelSet:
    """Values of the same channels. ``repeats`` says how often each channel is in a value's last axis.

    ``writers`` begin the set, ``readers`` end it, ``inside`` join its values. ``held`` says what keeps it as it is.
    """

    channels: int
    repeats: dict[str, int]
    writers: tuple[Node, ...]
    readers: tuple[Node, ...]
    inside: tuple[Node, ...]
    held: str

    @property
    def source(self) -> str:
        """The layer that the set is called by: the first that writes it."""
        return next((node.source or node.name for node in self.writers), "")


def ends(graph: Graph, node: Node) -> bool:
    """Whether a set ends at the node and another begins."""
    plain = isinstance(node.op, FullyConnected) or (isinstance(node.op, Conv2D) and node.op.groups == 1)
    return plain and all(value in graph.consts for value in node.inputs[1:])


def channel_sets(graph: Graph) -> list[ChannelSet]:
    """All sets that some layer writes, in order."""
    above: dict[str, str] = {}
    held: dict[str, str] = {}
    repeats: dict[str, int] = {value: 1 for value in graph.activations()}

    def root(value: str) -> str:
        while value in above:
            value = above[value]
        return value

    for value in graph.inputs:
        held.setdefault(value, "the network's input")
    for value in graph.outputs:
        held.setdefault(value, "the network's output")
    for node in graph.nodes:
        (y,) = node.outputs
        moving = [value for value in dict.fromkeys(node.inputs) if value not in graph.consts]
        if ends(graph, node):
            continue
        times = _joins(graph, node)
        if times is None:
            for value in (*moving, y):
                held.setdefault(value, f"{node.kind} ({node.source or node.name})")
            continue
        repeats[y] = repeats[moving[0]] * times
        if any(repeats[value] != repeats[moving[0]] for value in moving):
            held.setdefault(y, f"{node.kind} ({node.source or node.name})")
        for value in moving:
            if root(value) != root(y):
                above[root(value)] = root(y)
    return list(_collected(graph, root, held, repeats))


def _collected(graph: Graph, root: Any, held: dict[str, str], repeats: dict[str, int]) -> Iterator[ChannelSet]:
    members: dict[str, list[str]] = {}
    for value in graph.activations():
        members.setdefault(root(value), []).append(value)
    for values in members.values():
        own = set(values)
        writers = tuple(node for node in graph.nodes if ends(graph, node) and node.outputs[0] in own)
        readers = tuple(node for node in graph.nodes if ends(graph, node) and node.inputs[0] in own)
        inside = tuple(node for node in graph.nodes if not ends(graph, node) and node.outputs[0] in own)
        if writers:
            channels = graph.types[writers[0].outputs[0]].shape[-1]
            why = next((held[value] for value in values if value in held), "")
            yield ChannelSet(channels, {value: repeats[value] for value in values}, writers, readers, inside, why)


def _joins(graph: Graph, node: Node) -> int | None:
    """How often the output's last axis has each channel of the input's, where the node joins them; else None."""
    op, x, y = node.op, graph.types[node.inputs[0]].shape, graph.types[node.outputs[0]].shape
    if isinstance(op, DepthwiseConv2D):
        return 1 if x[-1] == y[-1] and all(value in graph.consts for value in node.inputs[1:]) else None
    if isinstance(op, _BINARY):
        wide = [graph.types[value].shape[-1] for value in node.inputs if value not in graph.consts]
        return 1 if wide and all(width == y[-1] for width in wide) and node.inputs[0] not in graph.consts else None
    if isinstance(op, Prelu) and node.inputs[1] not in graph.consts:
        return None
    if isinstance(op, _THROUGH) or (isinstance(op, Unary) and not isinstance(op, Log | Rsqrt)):
        return 1
    if isinstance(op, Mean):
        return 1 if len(x) - 1 not in op.axes else None
    if isinstance(op, Pad):
        return 1 if op.before[-1] == op.after[-1] == 0 else None
    if isinstance(op, Reshape):
        return _flattened(x, y)
    return None


def _flattened(x: tuple[int, ...], y: tuple[int, ...]) -> int | None:
    """1 where channels stay last, more where pixels go into the last axis, too."""
    if x[-1] == y[-1]:
        return 1
    whole = len(y) == 2 and y[1] == math.prod(x[1:])
    return y[1] // x[-1] if whole else None
