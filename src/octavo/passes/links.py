"""Where a scale of each channel may move from one layer to the next, and the graph in which it has moved."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array, Graph, Node, Operator, TensorType
from octavo.ops import (
    AveragePool2D,
    Clip,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Identity,
    LeakyRelu,
    Maximum,
    MaxPool2D,
    Mean,
    Minimum,
    Prelu,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
)

__all__ = ["Linear", "Link", "by_channel", "channel_clips", "find_links", "scale_links"]

Vector = NDArray[np.float64]
Linear = Conv2D | DepthwiseConv2D | FullyConnected
_HOMOGENEOUS = (
    AveragePool2D | Identity | LeakyRelu | MaxPool2D | Mean | Prelu | ResizeBilinear | ResizeNearest
)  # fmt: skip
_CLAMPS = Minimum | Maximum


@dataclass(frozen=True)
class Link:
    """Two linear operators and the nodes between them, through which a positive scale of each channel passes.

    1. The operators are Conv2D, DepthwiseConv2D and FullyConnected with constant weights that nothing else reads.
    2. Between them: ReLU and other clips, Prelu, LeakyRelu, pooling, resizing, Mean, Reshape that keeps channels last.
    """

    first: Node
    between: tuple[Node, ...]
    second: Node
    channels: int


def find_links(graph: Graph) -> tuple[list[Link], list[tuple[str, str]]]:
    """All links in order, and for each linear operator that starts none: (its source, the reason)."""
    readers = graph.consumers()
    links: list[Link] = []
    left: list[tuple[str, str]] = []
    for node in graph.nodes:
        if isinstance(node.op, Linear):
            found = _link(graph, node, readers)
            if isinstance(found, Link):
                links.append(found)
            else:
                left.append((node.source or node.name, found))
    return links, left


def _link(graph: Graph, first: Node, readers: dict[str, list[Node]]) -> Link | str:
    channels = graph.types[first.outputs[0]].shape[-1]
    if not _own_constants(graph, first, readers):
        return "its weights or bias are shared or computed"
    between: list[Node] = []
    value = first.outputs[0]
    while True:
        if value in graph.outputs:
            return "its result is an output of the network"
        if len(readers[value]) != 1:
            return f"its result is read by {len(readers[value])} operators"
        node = readers[value][0]
        if isinstance(node.op, Linear):
            break
        if not _passes_scale(graph, node, value, channels):
            return f"{node.kind} ({node.source or node.name}) does not let a scale of each channel through"
        between.append(node)
        value = node.outputs[0]
    if node.inputs[0] != value or not _own_constants(graph, node, readers):
        return f"the weights of {node.source or node.name} are shared or computed"
    return Link(first, tuple(between), node, channels)


def _own_constants(graph: Graph, node: Node, readers: dict[str, list[Node]]) -> bool:
    return all(value in graph.consts and len(readers[value]) == 1 for value in node.inputs[1:])


def _passes_scale(graph: Graph, node: Node, value: str, channels: int) -> bool:
    """Whether scaling the last axis of ``value`` by positive numbers scales the node's output alike."""
    out, op = graph.types[node.outputs[0]].shape, node.op
    if out[-1] != channels:
        return False
    if isinstance(op, Clip):
        return True
    if isinstance(op, _CLAMPS):
        other = next((v for v in node.inputs if v != value), "")
        return other in graph.consts and graph.types[other].size in (1, channels)
    if isinstance(op, Mean):
        rank = len(graph.types[value].shape)
        return all(axis % rank != rank - 1 for axis in op.axes)
    return isinstance(op, _HOMOGENEOUS | Reshape)


def by_channel(graph: Graph, node: Node, reduce: Callable[..., Vector]) -> Vector:
    """float64 [out, in]: ``reduce`` (numpy's max or sum) of a layer's weights between each pair of channels."""
    weights = np.abs(graph.consts[node.inputs[1]].astype(np.float64))
    if isinstance(node.op, FullyConnected):
        return reduce(weights[:, None, :], axis=(1,))
    if isinstance(node.op, DepthwiseConv2D):
        peak = reduce(weights, axis=(0, 1, 2))
        inputs = graph.types[node.inputs[0]].shape[-1]
        table = np.zeros((peak.size, inputs))
        table[np.arange(peak.size), np.arange(peak.size) // (peak.size // inputs)] = peak
        return table
    assert isinstance(node.op, Conv2D)
    peaks = reduce(weights, axis=(1, 2))
    groups, (out, width) = node.op.groups, peaks.shape
    table = np.zeros((out, width * groups))
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        table[rows, group * width : (group + 1) * width] = peaks[rows]
    return table


def scale_links(graph: Graph, links: list[Link], factors: list[Vector]) -> Graph:
    """The graph with each link's channels (and their moments) divided by its factors in between.

    Exact but for float32 storage.
    """
    consts = {name: array.astype(np.float64) for name, array in graph.consts.items() if array.dtype.kind == "f"}
    bounds: dict[str, tuple[Vector, Vector]] = {}
    moments = dict(graph.moments)
    for link, factor in zip(links, factors, strict=True):
        _divide_outputs(consts, link.first, factor)
        _multiply_inputs(consts, link.second, factor)
        bias = link.first.inputs[2]
        if bias in moments:
            moments[bias] = moments[bias][0] / factor, moments[bias][1] / factor
        for node in (link.first, *link.between):
            clip = node.op if isinstance(node.op, Clip) else getattr(node.op, "activation", None)
            if isinstance(clip, Clip) and not _homogeneous(clip):
                bounds[node.name] = (clip.minimum / factor, clip.maximum / factor)
            if isinstance(node.op, _CLAMPS):
                _divide_clamp(graph, consts, node, factor)
    stored = {name: _float32(array) for name, array in consts.items()}
    types = {name: TensorType(tuple(array.shape), "float32") for name, array in stored.items()}
    changed = graph.with_(consts={**graph.consts, **stored}, types={**graph.types, **types}, moments=moments)
    return channel_clips(changed, bounds)


def _float32(array: Vector) -> Array:
    stored = array.astype(np.float32)
    stored.setflags(write=False)
    return stored


def _homogeneous(clip: Clip) -> bool:
    return all(bound == 0 or math.isinf(bound) for bound in (clip.minimum, clip.maximum))


def _divide_outputs(consts: dict[str, Vector], node: Node, factor: Vector) -> None:
    assert isinstance(node.op, Linear)
    _, weights, bias = node.inputs
    shape = [1] * consts[weights].ndim
    shape[node.op.channel_axis] = factor.size
    consts[weights] = consts[weights] / factor.reshape(shape)
    consts[bias] = consts[bias] / factor


def _multiply_inputs(consts: dict[str, Vector], node: Node, factor: Vector) -> None:
    weights = consts[node.inputs[1]]
    if isinstance(node.op, DepthwiseConv2D):
        consts[node.inputs[1]] = weights * np.repeat(factor, weights.shape[3] // factor.size)
    elif isinstance(node.op, Conv2D) and node.op.groups > 1:
        groups = node.op.groups
        rows = np.repeat(factor.reshape(groups, -1), weights.shape[0] // groups, axis=0)
        consts[node.inputs[1]] = weights * rows[:, None, None, :]
    else:
        consts[node.inputs[1]] = weights * factor


def _divide_clamp(graph: Graph, consts: dict[str, Vector], node: Node, factor: Vector) -> None:
    (name,) = (value for value in node.inputs if value in graph.consts)
    shape = (1,) * (len(graph.types[node.outputs[0]].shape) - 1) + (-1,)
    consts[name] = np.broadcast_to(consts[name].reshape(-1), factor.shape).reshape(shape) / factor.reshape(shape)


def channel_clips(graph: Graph, bounds: Mapping[str, tuple[Vector, Vector]]) -> Graph:
    """Clips of nodes by name get these bounds: a Maximum and a Minimum with one number a channel.

    A bound that is 0 or infinite stays as it is.
    """
    nodes: list[Node] = []
    types, consts = dict(graph.types), dict(graph.consts)
    for node in graph.nodes:
        if node.name not in bounds:
            nodes.append(node)
            continue
        op, clip = _without_bounds(node)
        (output,), (low, high) = node.outputs, bounds[node.name]
        steps: list[tuple[Operator, str, Vector]] = []
        if clip.minimum != 0 and math.isfinite(clip.minimum):
            steps.append((Maximum(), f"{output}.minimum", low))
        if clip.maximum != 0 and math.isfinite(clip.maximum):
            steps.append((Minimum(), f"{output}.maximum", high))
        value = f"{output}.unclipped"
        nodes.append(Node(value, op, node.inputs, (value,), node.source or node.name))
        types[value] = graph.types[output]
        for index, (step, limit, vector) in enumerate(steps):
            name = output if index == len(steps) - 1 else f"{output}.clipped"
            consts[limit] = _float32(vector.reshape((1,) * (len(graph.types[output].shape) - 1) + (-1,)))
            types[limit] = TensorType(tuple(consts[limit].shape), "float32")
            types[name] = graph.types[output]
            nodes.append(Node(name, step, (value, limit), (name,), node.source or node.name))
            value = name
    return graph.with_(nodes=tuple(nodes), types=types, consts=consts)


def _without_bounds(node: Node) -> tuple[Operator, Clip]:
    """The operator with the bounds of its clip that are not 0 taken away, and the clip as it was."""
    clip: Clip = node.op if isinstance(node.op, Clip) else node.op.activation  # type: ignore[attr-defined]
    kept = Clip(0.0 if clip.minimum == 0 else -math.inf, 0.0 if clip.maximum == 0 else math.inf)
    if isinstance(node.op, Clip):
        return kept, clip
    assert isinstance(node.op, Linear)
    return replace(node.op, activation=kept), clip
