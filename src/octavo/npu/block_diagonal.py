"""Dense convolutions that are really several side by side: most of their weights are zeros, in blocks."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from octavo.ir.graph import Array, Graph, Node
from octavo.npu.array import Shape, array_cycles
from octavo.npu.support import Support
from octavo.ops import Conv2D, DepthwiseConv2D
from octavo.passes.rewrite import Draft, sweep

__all__ = ["STEP", "block_groups", "grouped", "hidden_groups"]

STEP = "block-diagonal weights as groups"


def block_groups(weights: Array) -> int:
    """The most groups into which weights [O, KH, KW, I] fall: between different groups all are zero. 1 where none."""
    used = np.any(weights != 0, axis=(1, 2))
    outputs, inputs = used.shape
    if not used.any():
        return 1
    common = math.gcd(outputs, inputs)
    for groups in range(common, 1, -1):
        if common % groups == 0:
            blocks = used.reshape(groups, outputs // groups, groups, inputs // groups).any(axis=(1, 3))
            if not blocks[~np.eye(groups, dtype=bool)].any():
                return groups
    return 1


def hidden_groups(graph: Graph, support: Support) -> dict[str, int]:
    """The groups of every convolution that would be faster in groups, by source."""
    found: dict[str, int] = {}

    def rule(draft: Draft, node: Node) -> str | None:
        value = _in_groups(support, draft, node)
        if value is not None:
            op, channels = node.op, draft.shape(node.inputs[0])[3]
            assert isinstance(op, Conv2D)
            inner = draft.producer(value)
            assert inner is not None
            found[node.source or node.name] = getattr(inner.op, "groups", channels)
        return value

    sweep(graph, rule)
    return found


def grouped(graph: Graph, support: Support) -> Graph:
    """Those convolutions in groups, or as depthwise ones; the graph itself where there are none."""
    return sweep(graph, lambda draft, node: _in_groups(support, draft, node))


def _in_groups(support: Support, draft: Draft, node: Node) -> str | None:
    """A convolution of one group as one of several, where the target has that and is faster with it."""
    op, weights = node.op, draft.value(node.inputs[1]) if len(node.inputs) > 1 else None
    if not isinstance(op, Conv2D) or op.groups != 1 or weights is None:
        return None
    groups = block_groups(weights)
    if groups == 1 or not _faster(support, weights, groups):
        return None
    rows, width = weights.shape[0] // groups, weights.shape[3] // groups
    own = [weights[g * rows : (g + 1) * rows, :, :, g * width : (g + 1) * width] for g in range(groups)]
    inner = np.concatenate(own)
    if width == 1:
        depthwise = DepthwiseConv2D(op.stride, op.padding, op.dilation, op.activation)
        parameters = [draft.const(inner.transpose(3, 1, 2, 0), node.inputs[1]), node.inputs[2]]
        value = draft.add(depthwise, [node.inputs[0], *parameters], node)
    else:
        parameters = [draft.const(inner, node.inputs[1]), node.inputs[2]]
        value = draft.add(replace(op, groups=groups), [node.inputs[0], *parameters], node)
    made = draft.producer(value)
    assert made is not None
    return None if support.reasons(made, draft.type) else value


def _faster(support: Support, weights: Array, groups: int) -> bool:
    array = support.target.accelerator
    if array is None:
        return True
    outputs, taps, inputs = weights.shape[0], weights.shape[1] * weights.shape[2], weights.shape[3]
    dense = array_cycles(array, Shape(1, taps, inputs, outputs))
    apart = array_cycles(array, Shape(1, taps, inputs // groups, outputs // groups, groups))
    special = array.units.get("depthwise", 1.0) if groups == inputs else 1.0
    usual = array.units.get("pointwise", 1.0) if taps == 1 else 1.0
    return apart / special < dense / usual
