"""Pools and means that a target does not have, as pools, means and depthwise convolutions that it has."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from octavo.ir.graph import Node
from octavo.npu.support import Support
from octavo.ops import AveragePool2D, DepthwiseConv2D, MaxPool2D, Mean, Reshape
from octavo.passes.rewrite import Draft

__all__ = [
    "average_pool_as_depthwise",
    "average_pool_as_mean",
    "average_pool_in_steps",
    "max_pool_in_steps",
    "mean_as_average_pool",
]

Pair = tuple[int, int]


def mean_as_average_pool(support: Support, draft: Draft, node: Node) -> str | None:
    """A mean over height and width as an average pool of the whole image."""
    op, shape = node.op, draft.shape(node.inputs[0])
    if not isinstance(op, Mean) or len(shape) != 4 or not {*op.axes} <= {1, 2}:
        return None
    if not support.has(AveragePool2D) and not support.has(DepthwiseConv2D):
        return None
    window = (shape[1] if 1 in op.axes else 1, shape[2] if 2 in op.axes else 1)
    pooled = draft.add(AveragePool2D(window, window), [node.inputs[0]], node)
    flat = tuple(d for axis, d in enumerate(shape) if axis not in op.axes)
    return pooled if op.keepdims else draft.add(Reshape(flat), [pooled], node)


def average_pool_as_mean(support: Support, draft: Draft, node: Node) -> str | None:
    """An average pool of the whole image as a mean."""
    shape = draft.shape(node.inputs[0])
    if not isinstance(node.op, AveragePool2D) or node.op.kernel != shape[1:3] or any(node.op.padding):
        return None
    limits = support.limits("Mean")
    if limits is None or shape[1] * shape[2] > limits.window:
        return None
    return draft.add(Mean((1, 2), keepdims=True), list(node.inputs), node)


def average_pool_in_steps(support: Support, draft: Draft, node: Node) -> str | None:
    """An average of windows side by side as averages of averages: 12 x 12 as 4 x 4, then 3 x 3."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, AveragePool2D) or any(op.padding):
        return None
    if op.kernel not in (op.stride, draft.shape(node.inputs[0])[1:3]):
        return None
    first = (_largest(op.kernel[0], limits.kernel[0]), _largest(op.kernel[1], limits.kernel[1]))
    rest = (op.kernel[0] // first[0], op.kernel[1] // first[1])
    if first == op.kernel or first == (1, 1) or math.prod(first) > limits.window:
        return None
    inner = draft.add(replace(op, kernel=first, stride=first), list(node.inputs), node)
    return draft.add(replace(op, kernel=rest, stride=rest), [inner], node)


def _largest(size: int, limit: int) -> int:
    """The largest divisor of a side that is no longer than allowed."""
    return max(d for d in range(1, min(size, limit) + 1) if size % d == 0)


def average_pool_as_depthwise(support: Support, draft: Draft, node: Node) -> str | None:
    """An average as a depthwise convolution with equal weights; padding must count, or be none."""
    op = node.op
    if not isinstance(op, AveragePool2D) or not support.has(DepthwiseConv2D):
        return None
    if any(op.padding) and not op.count_include_pad:
        return None
    channels = draft.shape(node.inputs[0])[3]
    weights = np.full((1, *op.kernel, channels), 1 / math.prod(op.kernel))
    parameters = [draft.const(weights, f"{node.name}.weights"), draft.const(np.zeros(channels), f"{node.name}.bias")]
    return draft.add(DepthwiseConv2D(op.stride, op.padding), [node.inputs[0], *parameters], node)


def max_pool_in_steps(support: Support, draft: Draft, node: Node) -> str | None:
    """The largest of a large window as the largest of the largest of smaller ones: 5 x 5 as 3 x 3 twice."""
    op, limits = node.op, support.limits(node.kind)
    if limits is None or not isinstance(op, MaxPool2D):
        return None
    first = (min(op.kernel[0], limits.kernel[0]), min(op.kernel[1], limits.kernel[1]))
    if first == op.kernel or first == (1, 1):
        return None
    if any(op.padding[2 * axis + side] >= first[axis] for axis in (0, 1) for side in (0, 1)):
        return None
    rest = (op.kernel[0] - first[0] + 1, op.kernel[1] - first[1] + 1)
    inner = draft.add(MaxPool2D(first, (1, 1), op.padding), list(node.inputs), node)
    return draft.add(MaxPool2D(rest, op.stride), [inner], node)
