"""Turns explicit padding into the padding of the operator that reads it."""

from __future__ import annotations

import math
from dataclasses import replace

from octavo.ir.graph import Graph, Node
from octavo.ops import AveragePool2D, Conv2D, DepthwiseConv2D, MaxPool2D, Pad, Reshape
from octavo.passes.ranges import bounds
from octavo.passes.rewrite import Draft, sweep

__all__ = ["fold_padding"]

_Padding = tuple[int, int, int, int]


def fold_padding(graph: Graph) -> Graph:
    """Fold Pad nodes that pad only height and width.

    1. Pad of a Pad with the same value becomes one.
    2. Zeros before a Conv2D or DepthwiseConv2D are added to its padding.
    3. The same when a Reshape in between only gives a sequence a height of one.
    4. Minus infinity before a MaxPool2D, or zeros when nothing is negative, unless a window would see only padding.
    5. Zeros before an AveragePool2D that has no padding or counts it: it then counts its padding.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    op = node.op
    if not isinstance(op, Pad | Conv2D | DepthwiseConv2D | MaxPool2D | AveragePool2D):
        return None
    found = _padded(draft, node.inputs[0])
    if found is None:
        return None
    pad, x = found
    if isinstance(op, Pad):
        return _joined(draft, node, op, pad, x)
    if any(pad.before[axis] or pad.after[axis] for axis in (0, 3)):
        return None
    top, bottom, left, right = op.padding
    padding = (top + pad.before[1], bottom + pad.after[1], left + pad.before[2], right + pad.after[2])
    if isinstance(op, Conv2D | DepthwiseConv2D):
        return draft.add(replace(op, padding=padding), [x, *node.inputs[1:]], node) if pad.value == 0.0 else None
    if isinstance(op, MaxPool2D):
        legal = _fills_no_window(op, padding, draft.shape(x)) and _never_wins(draft, pad, x)
        return draft.add(replace(op, padding=padding), [x], node) if legal else None
    counted = pad.value == 0.0 and (op.count_include_pad or not any(op.padding)) and _smaller(op.kernel, padding)
    return draft.add(replace(op, padding=padding, count_include_pad=True), [x], node) if counted else None


def _padded(draft: Draft, value: str) -> tuple[Pad, str] | None:
    """(pad, x) when ``value`` is a padded x, also behind the Reshape that gives a sequence its height."""
    node = draft.producer(value)
    if node is None:
        return None
    if isinstance(node.op, Pad):
        return node.op, node.inputs[0]
    inner = draft.producer(node.inputs[0]) if isinstance(node.op, Reshape) else None
    if inner is None or not isinstance(inner.op, Pad):
        return None
    shape, wrapped = draft.shape(node.inputs[0]), draft.shape(value)
    if len(shape) != 3 or wrapped != (shape[0], 1, *shape[1:]):
        return None
    batch, length, channels = draft.shape(inner.inputs[0])
    x = draft.add(Reshape((batch, 1, length, channels)), [inner.inputs[0]], node)
    before, after = inner.op.before, inner.op.after
    return Pad((before[0], 0, *before[1:]), (after[0], 0, *after[1:]), inner.op.value), x


def _joined(draft: Draft, node: Node, op: Pad, inner: Pad, x: str) -> str | None:
    if op.value != inner.value or len(op.before) != len(inner.before):
        return None
    before = tuple(a + b for a, b in zip(op.before, inner.before, strict=True))
    after = tuple(a + b for a, b in zip(op.after, inner.after, strict=True))
    return draft.add(Pad(before, after, op.value), [x], node)


def _never_wins(draft: Draft, pad: Pad, x: str) -> bool:
    """Whether the padding is never above what a window sees."""
    return pad.value == -math.inf or (pad.value <= bounds(draft, x)[0] and math.isfinite(pad.value))


def _smaller(kernel: tuple[int, int], padding: _Padding) -> bool:
    top, bottom, left, right = padding
    return max(top, bottom) < kernel[0] and max(left, right) < kernel[1]


def _fills_no_window(op: MaxPool2D, padding: _Padding, shape: tuple[int, ...]) -> bool:
    """Whether every window sees at least one pixel of an image of this shape."""
    if not _smaller(op.kernel, padding):
        return False
    for axis, (before, after) in enumerate((padding[:2], padding[2:])):
        size, kernel, stride = shape[1 + axis], op.kernel[axis], op.stride[axis]
        last = (size + before + after - kernel) // stride * stride - before
        if last >= size:
            return False
    return True
