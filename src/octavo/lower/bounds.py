"""Between which integers every channel of an integer graph's values lies, whatever the input: interval arithmetic.

An interval follows from the operator's own integers, so it is proved, not observed. Padding counts as the zero point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import Array, Graph, Node, TensorType
from octavo.num.qparams import integer_limits
from octavo.ops.integer.conv2d import QConv2D
from octavo.ops.integer.depthwise_conv2d import QDepthwiseConv2D
from octavo.ops.integer.fully_connected import QFullyConnected
from octavo.ops.integer.lookup import QLookup
from octavo.ops.integer.mean import QMean
from octavo.ops.integer.movement import QReshape
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D
from octavo.ops.integer.requantizing import finish

__all__ = ["Bounds", "channel_bounds", "is_padded"]

Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Least and largest integer of each channel (last axis)."""


def channel_bounds(graph: Graph) -> dict[str, Bounds]:
    """Bounds of every activation; those of the dtype where nothing better is known."""
    found = {name: _any(graph.types[name]) for name in graph.inputs}
    for node in graph.nodes:
        output = node.outputs[0]
        rule = _RULES.get(type(node.op))
        bounds = None if rule is None else rule(node, graph, found[node.inputs[0]])
        found[output] = _any(graph.types[output]) if bounds is None else bounds
    return found


def is_padded(op: Any) -> bool:
    """Whether some window of a convolution reaches outside the image."""
    axes = ("h", "top"), ("w", "left")
    for axis, before in axes:
        out, size, kernel, stride, dilation = (
            getattr(op, f"{name}_{axis}") for name in ("out", "in", "kernel", "stride", "dilation")
        )
        first = getattr(op, f"pad_{before}")
        if first > 0 or (out - 1) * stride + dilation * (kernel - 1) + 1 - first > size:
            return True
    return False


def _any(type_: TensorType) -> Bounds:
    low, high = integer_limits(type_.dtype)
    return np.full(type_.shape[-1], low, np.int64), np.full(type_.shape[-1], high, np.int64)


def _consts(node: Node, graph: Graph) -> list[Array]:
    return [graph.consts[value] for value in node.inputs if value in graph.consts]


def _conv2d(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    op: Any = node.op
    weights, *rest = _consts(node, graph)
    if op.groups != 1:
        return None
    by_channel = weights.reshape(op.out_c, -1, op.in_c).astype(np.int64)
    return _linear(op, by_channel, rest, x, is_padded(op))


def _depthwise(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    op: Any = node.op
    weights, *rest = _consts(node, graph)
    if op.depth_multiplier != 1:
        return None
    taps = weights.reshape(-1, op.out_c).T.astype(np.int64)
    return _linear(op, taps[:, :, None], rest, (x[0][:, None, None], x[1][:, None, None]), is_padded(op))


def _fully_connected(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    op: Any = node.op
    weights, *rest = _consts(node, graph)
    return _linear(op, weights.astype(np.int64)[:, None, :], rest, x, padded=False)


def _linear(op: Any, w: NDArray[np.int64], rest: list[Array], x: Bounds, padded: bool) -> Bounds | None:
    """Of sum (x - zero_point) w + bias over the last two axes of w [O, taps, C]; None where a sum may wrap."""
    bias, multiplier, shift = rest
    low, high = (side - op.input_zero_point for side in x)
    if padded:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    rising, falling = np.maximum(w, 0), np.minimum(w, 0)
    least = (rising * low + falling * high).sum(axis=(1, 2))
    most = (rising * high + falling * low).sum(axis=(1, 2))
    reach = 255 * np.abs(w).sum(axis=(1, 2)) + np.abs(bias.astype(np.int64))
    if np.any(reach >= 2**31) or np.any(shift > 0):
        return None
    parameters = [torch.from_numpy(np.array(v)) for v in (bias, multiplier, shift)]
    ends = (finish(op, torch.from_numpy(end), *parameters).numpy().astype(np.int64) for end in (least, most))
    return next(ends), next(ends)


def _monotone(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    """Of an operator that keeps channels apart and rises with its input: what it makes of the ends themselves."""
    op: Any = node.op
    type_ = graph.types[node.inputs[0]]
    if isinstance(op, QMean) and (op.inner != type_.shape[-1] or op.outer != 1):
        return None
    dtype = getattr(torch, type_.dtype)
    ends = [op.eval_int(torch.from_numpy(side).to(dtype).expand(type_.shape).contiguous()) for side in x]
    low, high = (end.reshape(-1, len(x[0])).numpy().astype(np.int64) for end in ends)
    return low.min(axis=0), high.max(axis=0)


def _reshape(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    return x if graph.types[node.outputs[0]].shape[-1] == len(x[0]) else None


def _lookup(node: Node, graph: Graph, x: Bounds) -> Bounds | None:
    (table,) = _consts(node, graph)
    wide = table.astype(np.int64)
    values = np.arange(-128, 128)
    inside = (values >= x[0][:, None]) & (values <= x[1][:, None])
    return np.where(inside, wide, 127).min(axis=1), np.where(inside, wide, -128).max(axis=1)


_Rule = Callable[[Node, Graph, Bounds], Bounds | None]
_RULES: dict[type[Any], _Rule] = {
    QConv2D: _conv2d,
    QDepthwiseConv2D: _depthwise,
    QFullyConnected: _fully_connected,
    QAveragePool2D: _monotone,
    QMaxPool2D: _monotone,
    QMean: _monotone,
    QReshape: _reshape,
    QLookup: _lookup,
}
