"""Bounds on values that follow from the operators alone."""

from __future__ import annotations

import math

from octavo.ir.graph import Node
from octavo.ops import (
    Abs,
    Add,
    AveragePool2D,
    Clip,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    Exp,
    FullyConnected,
    HardSigmoid,
    MaxPool2D,
    Mean,
    Mul,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Sigmoid,
    Slice,
    Softmax,
    Softplus,
    Sqrt,
    Square,
    Sub,
    Tanh,
    Transpose,
    TransposeConv2D,
)
from octavo.passes.rewrite import Draft

__all__ = ["bounds"]

Bounds = tuple[float, float]

_DEPTH = 8
_UNBOUNDED = (-math.inf, math.inf)
_UNIT = (0.0, 1.0)
_POSITIVE = (0.0, math.inf)

_BY_KIND: dict[type, Bounds] = {
    Sigmoid: _UNIT,
    HardSigmoid: _UNIT,
    Softmax: _UNIT,
    Tanh: (-1.0, 1.0),
    Abs: _POSITIVE,
    Exp: _POSITIVE,
    Softplus: _POSITIVE,
    Sqrt: _POSITIVE,
    Square: _POSITIVE,
}

_ACTIVATED = Conv2D | DepthwiseConv2D | TransposeConv2D | FullyConnected | Add | Sub | Mul
_WITHIN = (
    AveragePool2D | MaxPool2D | Mean | Reshape | Transpose | Slice | Concat | ResizeBilinear | ResizeNearest
)  # fmt: skip


def bounds(draft: Draft, value: str) -> Bounds:
    """(low, high) that ``value`` never leaves; infinite where nothing is known.

    1. The operator's own range. 2. Its activation. 3. For operators that give only what lies between their inputs,
       the range of these; an average that counts its padding adds 0.
    """
    return _bounds(draft, value, _DEPTH, {})


def _bounds(draft: Draft, value: str, depth: int, known: dict[str, Bounds]) -> Bounds:
    node = draft.producer(value)
    if node is None or depth == 0:
        return _UNBOUNDED
    if value not in known:
        known[value] = _of_node(draft, node, depth, known)
    return known[value]


def _of_node(draft: Draft, node: Node, depth: int, known: dict[str, Bounds]) -> Bounds:
    op = node.op
    if type(op) in _BY_KIND:
        return _BY_KIND[type(op)]
    if isinstance(op, _ACTIVATED):
        return op.activation.minimum, op.activation.maximum
    if isinstance(op, Clip):
        low, high = _bounds(draft, node.inputs[0], depth - 1, known)
        return min(max(low, op.minimum), op.maximum), max(min(high, op.maximum), op.minimum)
    if not isinstance(op, _WITHIN):
        return _UNBOUNDED
    inner = [_bounds(draft, x, depth - 1, known) for x in node.inputs]
    if isinstance(op, AveragePool2D) and op.count_include_pad:
        inner.append((0.0, 0.0))
    return min(low for low, _ in inner), max(high for _, high in inner)
