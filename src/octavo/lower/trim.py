"""Drops the channels that carry nothing: exact, for every input, to the last bit.

Trained networks have dead channels: a vanished batch norm, a ReLU that never opens. In integers such a channel has one
value for every input (``bounds`` proves it), so what it adds to the next layers is a constant of their bias; or no
layer looks at it. Both kinds are cut out: the layer that computes the channel loses weights, those that read it too.

A set of values whose channels belong together is cut as one:

1. values linked by operators that keep channels apart (depthwise, pooling, mean, lookup, reshape) are one set;
2. a set may be cut when every other operator at its ends is a convolution without groups or a fully connected layer,
   and no value of it is an input or output of the network;
3. a channel goes when all its values in the set are constant (and, where a convolution pads, equal to the zero point,
   since the padding is not the constant), or when no reader has a weight for it.

The number of channels stays a multiple of four where it can, which is what kernels read at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.lower.bounds import Bounds, channel_bounds, is_padded
from octavo.lower.lower import IntegerModel
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.fully_connected import QFullyConnected
from octavo.ops.integer.lookup import QLookup
from octavo.ops.integer.mean import QMean
from octavo.ops.integer.movement import QReshape
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D

__all__ = ["Trimmed", "trim"]

_FOUR = 4


@dataclass(frozen=True)
class Trimmed:
    """A model without idle channels, and how many of how many channels each layer lost, by node."""

    model: IntegerModel
    dropped: Mapping[str, tuple[int, int]]


def trim(model: IntegerModel) -> Trimmed:
    """Cut until nothing is left to cut: a dropped channel may leave others without a reader."""
    graph = model.graph
    while True:
        masks = _masks(graph, channel_bounds(graph))
        if all(mask.all() for mask in masks.values()):
            break
        graph = _cut(graph, masks)
    before = {node.name: _channels(model.graph, node.outputs[0]) for node in model.graph.nodes}
    after = {node.name: _channels(graph, node.outputs[0]) for node in graph.nodes}
    lost = {name: (before[name] - after[name], before[name]) for name in before if before[name] != after[name]}
    return Trimmed(IntegerModel(graph, model.encodings), MappingProxyType(lost))


def _channels(graph: Graph, value: str) -> int:
    return graph.types[value].shape[-1]


def _keeps_channels_apart(graph: Graph, node: Node) -> bool:
    op: Any = node.op
    match op:
        case QDepthwiseConv2D():
            return type(op) is QDepthwiseConv2D and op.depth_multiplier == 1
        case QReshape():
            return _channels(graph, node.inputs[0]) == _channels(graph, node.outputs[0])
        case QMean():
            return type(op) is QMean and op.outer == 1 and op.inner == _channels(graph, node.inputs[0])
    return type(op) in (QAveragePool2D, QMaxPool2D, QLookup)


def _mixes_channels(node: Node) -> bool:
    op: Any = node.op
    return (type(op) is QConv2D and op.groups == 1) or type(op) is QFullyConnected


def _masks(graph: Graph, bounds: Mapping[str, Bounds]) -> dict[str, NDArray[np.bool_]]:
    """For every value the channels to keep."""
    consumers = graph.consumers()
    masks: dict[str, NDArray[np.bool_]] = {}
    for values in _sets(graph):
        channels = _channels(graph, values[0])
        keep = np.ones(channels, np.bool_)
        if _may_be_cut(graph, values, consumers):
            readers = [(v, node) for v in values for node in consumers[v] if _mixes_channels(node)]
            idle = np.all([bounds[v][0] == bounds[v][1] for v in values], axis=0)
            for value, node in readers:
                if type(node.op) is QConv2D and is_padded(node.op):
                    idle &= bounds[value][0] == node.op.input_zero_point
            unread = np.all([~_weights(graph, node).any(axis=(0, 1)) for _, node in readers], axis=0)
            keep = _rounded(~(idle | unread))
        masks |= dict.fromkeys(values, keep)
    return masks


def _sets(graph: Graph) -> list[list[str]]:
    """Values whose channels belong together, in order of definition."""
    home: dict[str, list[str]] = {name: [name] for name in graph.inputs}
    for node in graph.nodes:
        output = node.outputs[0]
        home[output] = home[node.inputs[0]] if _keeps_channels_apart(graph, node) else []
        home[output].append(output)
    unique = {id(values): values for values in home.values()}
    return list(unique.values())


def _may_be_cut(graph: Graph, values: list[str], consumers: Mapping[str, list[Node]]) -> bool:
    producers = graph.producers()
    if any(v in graph.inputs or v in graph.outputs or graph.types[v].dtype != "int8" for v in values):
        return False
    if len({_channels(graph, v) for v in values}) > 1 or not _mixes_channels(producers[values[0]]):
        return False
    readers = [node for v in values for node in consumers[v]]
    if any(type(n.op) is QReshape and not _keeps_channels_apart(graph, n) for n in readers):
        return False
    mixing = [node for node in readers if _mixes_channels(node)]
    return bool(mixing) and all(node in mixing or _keeps_channels_apart(graph, node) for node in readers)


def _weights(graph: Graph, node: Node) -> NDArray[np.int64]:
    """Of a mixing operator, as [O, taps, C]."""
    w = graph.consts[node.inputs[1]].astype(np.int64)
    return w.reshape(w.shape[0], -1, w.shape[-1])


def _rounded(keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With enough idle channels that a multiple of four is left, and never none."""
    wanted = min(len(keep), max(-(-int(keep.sum()) // _FOUR) * _FOUR, _FOUR))
    result = keep.copy()
    result[np.flatnonzero(~keep)[: wanted - int(keep.sum())]] = True
    return result


def _cut(graph: Graph, masks: Mapping[str, NDArray[np.bool_]]) -> Graph:
    """Apply the masks to types, parameters and constants; constants of dropped channels move into biases."""
    bounds = channel_bounds(graph)
    consts, types = dict(graph.consts), dict(graph.types)
    for value, keep in masks.items():
        type_ = types[value]
        types[value] = TensorType((*type_.shape[:-1], int(keep.sum())), type_.dtype)
    nodes = []
    for node in graph.nodes:
        x, y = masks[node.inputs[0]], masks[node.outputs[0]]
        if x.all() and y.all():
            nodes.append(node)
            continue
        cut = _cut_node(graph, node, x, y, bounds[node.inputs[0]][0], types[node.outputs[0]])
        nodes.append(replace(node, op=cut[0]))
        for name, array in zip(node.inputs[1:], cut[1], strict=True):
            consts[name] = array
            types[name] = TensorType(tuple(array.shape), str(array.dtype))
    return graph.with_(nodes=tuple(nodes), consts=consts, types=types)


def _cut_node(
    graph: Graph, node: Node, x: NDArray[np.bool_], y: NDArray[np.bool_], value: NDArray[np.int64], out: TensorType
) -> tuple[Any, list[Array]]:
    """The operator with fewer channels, and its constants."""
    op: Any = node.op
    consts = [graph.consts[name] for name in node.inputs[1:]]
    ins, outs = int(x.sum()), int(y.sum())
    match op:
        case QConv2D():
            return replace(op, in_c=ins, out_c=outs), _cut_mixing(op, consts, x, y, value)
        case QFullyConnected():
            return replace(op, in_features=ins, out_features=outs), _cut_mixing(op, consts, x, y, value)
        case QDepthwiseConv2D():
            return replace(op, in_c=ins, out_c=outs), [consts[0][..., y], *_cut_channels(consts[1:], y)]
        case QAveragePool2D() | QMaxPool2D():
            return replace(op, channels=outs), consts
        case QMean():
            last = max(axis for axis, size in enumerate(op.out_shape) if size)
            shape: Any = tuple(outs if axis == last else size for axis, size in enumerate(op.out_shape))
            return replace(op, inner=outs, out_shape=shape), consts
        case QLookup():
            return replace(op, size=out.size), consts
    assert isinstance(op, QReshape)
    return replace(op, shape=out.shape), consts


def _cut_channels(consts: list[Array], keep: NDArray[np.bool_]) -> list[Array]:
    """Bias, and multiplier and shift where every channel has its own."""
    return [array[keep] if len(array) == len(keep) else array for array in consts]


def _cut_mixing(
    op: Any, consts: list[Array], x: NDArray[np.bool_], y: NDArray[np.bool_], value: NDArray[np.int64]
) -> list[Array]:
    """The sums of the channels that go, added to the bias as the accumulator would: modulo 2^32."""
    weights, bias, *rest = consts
    gone = weights[..., ~x].astype(np.int64) * (value[~x] - op.input_zero_point)
    total = bias.astype(np.int64) + gone.reshape(len(weights), -1).sum(axis=1)
    folded = total.astype(np.uint64).astype(np.uint32).view(np.int32)
    return [np.ascontiguousarray(weights[..., x][y]), *_cut_channels([folded, *rest], y)]
