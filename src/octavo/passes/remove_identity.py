"""Removes operators that do nothing."""

from __future__ import annotations

import math

from octavo.ir.graph import Graph, Node
from octavo.ops import (
    Add,
    AveragePool2D,
    Clip,
    Concat,
    Identity,
    MaxPool2D,
    Mean,
    Mul,
    Pad,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Sub,
    Sum,
    Transpose,
)
from octavo.passes.rewrite import Draft, sweep

__all__ = ["remove_identity"]


def remove_identity(graph: Graph) -> Graph:
    """Remove no-ops; Requantize is never one.

    1. Identity (dropout at inference).
    2. Clip without bounds.
    3. Reshape to the same shape, Transpose by the identity, Slice of everything, Pad by nothing.
    4. Concat of one value.
    5. Add or Sub of zeros, Mul by ones, that broadcast nothing; with an activation only the Clip stays.
    6. Pools of one pixel and stride one; resizes to the same size.
    7. Mean or Sum over no axis or over axes of size one (a Reshape when the axes go away).

    An output that equals a graph input, a constant or another output keeps its Identity: every output is a value of
    its own.
    """
    pinned = {*graph.inputs, *graph.consts, *graph.outputs}

    def rule(draft: Draft, node: Node) -> str | None:
        value = _without(draft, node)
        if value is None or (node.outputs[0] not in graph.outputs):
            return value
        return None if isinstance(node.op, Identity) and value in pinned else value

    return sweep(graph, rule)


def _without(draft: Draft, node: Node) -> str | None:
    op, x = node.op, node.inputs[0]
    before, after = draft.shape(x), draft.graph.types[node.outputs[0]].shape
    if isinstance(op, Add | Sub | Mul):
        return _neutral(draft, node)
    if isinstance(op, Mean | Sum):
        if any(before[axis] != 1 for axis in op.axes):
            return None
        return x if before == after else draft.add(Reshape(after), [x], node)
    return x if _is_noop(node, before, after) else None


def _is_noop(node: Node, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    op = node.op
    if isinstance(op, Identity):
        return True
    if isinstance(op, Clip):
        return op.is_none
    if isinstance(op, Reshape):
        return before == after
    if isinstance(op, Transpose):
        return tuple(op.perm) == tuple(range(len(op.perm)))
    if isinstance(op, Slice | Pad):
        return before == after
    if isinstance(op, Concat):
        return len(node.inputs) == 1
    if isinstance(op, AveragePool2D | MaxPool2D):
        return tuple(op.kernel) == (1, 1) == tuple(op.stride) and not any(op.padding)
    if isinstance(op, ResizeNearest | ResizeBilinear):
        return before == after
    return False


def _neutral(draft: Draft, node: Node) -> str | None:
    """The other operand of an Add of zeros or a Mul by ones (clipped), or None."""
    op = node.op
    assert isinstance(op, Add | Sub | Mul)
    neutral = 1.0 if isinstance(op, Mul) else 0.0
    for index in (1,) if isinstance(op, Sub) else (1, 0):
        constant, x = draft.value(node.inputs[index]), node.inputs[1 - index]
        if constant is None or constant.size > 1 << 16 or not (constant == neutral).all():
            continue
        if draft.shape(x) == draft.graph.types[node.outputs[0]].shape and x not in draft.graph.consts:
            clip = op.activation
            return x if (clip.minimum, clip.maximum) == (-math.inf, math.inf) else draft.add(clip, [x], node)
    return None
