"""Writes operators that have no integer form in terms of those that have one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from octavo.ir.graph import Graph, Node
from octavo.ops import Mean, Mul, Sum
from octavo.passes.rewrite import Draft, sweep

__all__ = ["decompose"]


def decompose(graph: Graph) -> Graph:
    """Replace operators by others that mean the same.

    1. Sum over axes becomes Mean times the number of elements.
    2. Mean over axes that are not neighbours becomes one mean after the other.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    if isinstance(node.op, Sum):
        return _scaled_mean(draft, node, node.op)
    return _two_means(draft, node, node.op) if isinstance(node.op, Mean) else None


def _scaled_mean(draft: Draft, node: Node, op: Sum) -> str:
    count = math.prod(draft.shape(node.inputs[0])[axis] for axis in op.axes)
    mean = draft.add(Mean(axes=op.axes, keepdims=op.keepdims), list(node.inputs), node)
    factor = np.full((1,) * len(draft.shape(mean)), count, dtype=np.float64)
    return draft.add(Mul(), [mean, draft.const(factor, f"{node.name}.count")], node)


def _two_means(draft: Draft, node: Node, op: Mean) -> str | None:
    shape = draft.shape(node.inputs[0])
    wide = [axis for axis in sorted(op.axes) if shape[axis] != 1]
    gaps = [
        after
        for before, after in pairwise(wide)
        if any(shape[axis] != 1 and axis not in wide for axis in range(before, after))
    ]
    if not gaps:
        return None
    first = tuple(axis for axis in sorted(op.axes) if axis >= gaps[-1])
    rest = tuple(axis for axis in sorted(op.axes) if axis < gaps[-1])
    inner = draft.add(Mean(axes=first, keepdims=op.keepdims), list(node.inputs), node)
    return draft.add(Mean(axes=rest, keepdims=op.keepdims), [inner], node)
