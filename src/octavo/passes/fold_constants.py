"""Computes what does not depend on the input."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import Graph, Node
from octavo.ops import Add, Div, Mul, Op, Sub
from octavo.passes.rewrite import Draft, sweep

__all__ = ["fold_constants"]

LARGEST_RESULT = 1 << 24
LARGEST_WORK = 1 << 28


def fold_constants(graph: Graph) -> Graph:
    """Evaluate and merge constants.

    1. A node whose inputs are all float constants is evaluated in float64, if that is neither too large nor
       too much work.
    2. Add and Mul have their constant on the right.
    3. Sub of a constant becomes Add of its negative; Div by a constant becomes Mul by its reciprocal.
    4. Add(Add(x, a), b) becomes Add(x, a + b), Mul(Mul(x, a), b) becomes Mul(x, a * b), unless cancellation,
       underflow or overflow would show in the result. An activation in between forbids it.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    op = node.op
    if node.inputs and all(draft.value(value) is not None for value in node.inputs):
        return _evaluated(draft, node)
    if not isinstance(op, Add | Sub | Mul | Div):
        return None
    left, right = node.inputs
    if isinstance(op, Add | Mul) and draft.value(left) is not None:
        return _chain(draft, node, op, right, left) or draft.add(op, [right, left], node)
    constants = draft.values([right])
    if constants is None:
        return None
    (constant,) = constants
    if isinstance(op, Sub):
        return draft.add(Add(activation=op.activation), [left, draft.const(-constant, right)], node)
    if isinstance(op, Div):
        return _reciprocal(draft, node, constant)
    return _chain(draft, node, op, left, right)


def _evaluated(draft: Draft, node: Node) -> str | None:
    arrays = [draft.value(value) for value in node.inputs]
    if draft.graph.types[node.outputs[0]].size > LARGEST_RESULT or node.outputs[0] in draft.graph.outputs:
        return None
    if not isinstance(node.op, Op) or any(array is None or array.dtype.kind != "f" for array in arrays):
        return None
    if node.op.macs([draft.type(x) for x in node.inputs], [draft.graph.types[node.outputs[0]]]) > LARGEST_WORK:
        return None
    tensors = [torch.from_numpy(np.array(array, dtype=np.float64)) for array in arrays]
    result = node.op.eval_float(*tensors).numpy()
    if not (np.abs(result) <= np.finfo(np.float32).max).all():
        return None
    return draft.const(result, node.outputs[0])


def _reciprocal(draft: Draft, node: Node, constant: NDArray[np.float64]) -> str | None:
    if not constant.all():
        return None
    reciprocal = 1.0 / constant
    if not _representable(reciprocal):
        return None
    return draft.add(Mul(), [node.inputs[0], draft.const(reciprocal, node.inputs[1])], node)


def _chain(draft: Draft, node: Node, op: Add | Mul, x: str, constant: str) -> str | None:
    """``node`` is op(x, constant): merge it with the same operator that made x."""
    inner = draft.producer(x)
    if inner is None or not isinstance(inner.op, Add | Mul) or type(inner.op) is not type(op):
        return None
    constants = draft.values([inner.inputs[1], constant])
    if constants is None or not inner.op.activation.is_none:
        return None
    merged = _sum(*constants) if isinstance(op, Add) else _product(*constants)
    if merged is None:
        return None
    return draft.add(op, [inner.inputs[0], draft.const(merged, constant)], node)


def _sum(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """a + b unless both are large and nearly cancel: there float32 had rounded before."""
    total: NDArray[np.float64] = a + b
    safe = np.maximum(np.abs(a), np.abs(b)) <= 1e2 * np.maximum(1.0, np.abs(total))
    return total if safe.all() and _representable(total) else None


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """a * b unless it leaves the range of normal float32."""
    product: NDArray[np.float64] = a * b
    return product if _representable(product) and ((product != 0) == ((a != 0) & (b != 0))).all() else None


def _representable(array: NDArray[np.float64]) -> bool:
    """Whether float32 holds these values with full precision."""
    limits = np.finfo(np.float32)
    size = np.abs(array)
    return bool(np.isfinite(array).all() and (size <= limits.max).all() and ((size >= limits.tiny) | (size == 0)).all())
