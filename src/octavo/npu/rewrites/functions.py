"""Functions and activations that a target does not have, in terms of others: each is an identity of real numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from octavo.ir.graph import Node
from octavo.npu.support import Support, activation_name
from octavo.ops import (
    NONE,
    Abs,
    Add,
    Clip,
    Div,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Maximum,
    Minimum,
    Mish,
    Mul,
    Neg,
    Op,
    Prelu,
    Sigmoid,
    Silu,
    Softplus,
    Square,
    Sub,
    Tanh,
)
from octavo.passes.rewrite import Draft

__all__ = ["activation_apart", "function_in_parts"]


def activation_apart(support: Support, draft: Draft, node: Node) -> str | None:
    """A fused activation that the target does not fuse as a clip behind the layer."""
    op, limits = node.op, support.limits(node.kind)
    clip = getattr(op, "activation", NONE)
    if limits is None or clip.is_none or activation_name(clip) in limits.activations:
        return None
    bare = draft.add(replace(op, activation=NONE), list(node.inputs), node)  # type: ignore[type-var]
    return draft.add(clip, [bare], node)


def function_in_parts(support: Support, draft: Draft, node: Node) -> str | None:
    """An elementwise function in terms of sums, products, maxima and simpler functions."""
    form = _FORMS.get(type(node.op))  # type: ignore[arg-type]
    return None if form is None else form(draft, node, node.op)


def _number(draft: Draft, node: Node, value: float) -> str:
    rank = len(draft.shape(node.inputs[0]))
    return draft.const(np.full((1,) * rank, value), f"{node.name}.number")


def _times(draft: Draft, node: Node, x: str, factor: float) -> str:
    return draft.add(Mul(), [x, _number(draft, node, factor)], node)


def _clip(draft: Draft, node: Node, op: Clip) -> str:
    """The larger of x and the lower end, the smaller of that and the upper."""
    (value,) = node.inputs
    for form, end in ((Maximum(), op.minimum), (Minimum(), op.maximum)):
        if math.isfinite(end):
            value = draft.add(form, [value, _number(draft, node, end)], node)
    return value


def _hard_sigmoid(draft: Draft, node: Node, op: HardSigmoid) -> str:
    """clip(alpha x + beta, 0, 1)."""
    scaled = _times(draft, node, node.inputs[0], op.alpha)
    return draft.add(Clip(0.0, 1.0), [draft.add(Add(), [scaled, _number(draft, node, op.beta)], node)], node)


def _hard_swish(draft: Draft, node: Node, op: HardSwish) -> str:
    """x times clip(x + 3, 0, 6) / 6."""
    (x,) = node.inputs
    gate = draft.add(Add(Clip(0.0, 6.0)), [x, _number(draft, node, 3.0)], node)
    return draft.add(Mul(), [x, _times(draft, node, gate, 1 / 6)], node)


def _leaky(draft: Draft, node: Node, op: LeakyRelu) -> str | None:
    """The larger of x and alpha x, or for alpha above 1 the smaller."""
    scaled = _times(draft, node, node.inputs[0], op.alpha)
    return draft.add(Maximum() if op.alpha <= 1 else Minimum(), [node.inputs[0], scaled], node)


def _prelu(draft: Draft, node: Node, op: Prelu) -> str | None:
    """relu(x) - slope relu(-x)."""
    found = draft.values(node.inputs[1:])
    if found is None:
        return None
    (x, _), (slope,) = node.inputs, found
    shape = (1,) * (len(draft.shape(x)) - 1) + (-1,)
    above = draft.add(Clip(0.0), [x], node)
    below = draft.add(Clip(0.0), [_times(draft, node, x, -1.0)], node)
    factor = draft.const(-slope.reshape(shape), f"{node.name}.slope")
    return draft.add(Add(), [above, draft.add(Mul(), [below, factor], node)], node)


def _silu(draft: Draft, node: Node, op: Silu) -> str:
    """x sigmoid(x)."""
    return draft.add(Mul(), [node.inputs[0], draft.add(Sigmoid(), list(node.inputs), node)], node)


def _mish(draft: Draft, node: Node, op: Mish) -> str:
    """x tanh(softplus(x))."""
    gate = draft.add(Tanh(), [draft.add(Softplus(), list(node.inputs), node)], node)
    return draft.add(Mul(), [node.inputs[0], gate], node)


def _square(draft: Draft, node: Node, op: Square) -> str:
    """x x."""
    return draft.add(Mul(), [node.inputs[0]] * 2, node)


def _neg(draft: Draft, node: Node, op: Neg) -> str:
    """-1 x."""
    return _times(draft, node, node.inputs[0], -1.0)


def _abs(draft: Draft, node: Node, op: Abs) -> str:
    """The larger of x and -x."""
    return draft.add(Maximum(), [node.inputs[0], _times(draft, node, node.inputs[0], -1.0)], node)


def _sub(draft: Draft, node: Node, op: Sub) -> str:
    """a + (-1 b), or the sum with a constant of the other sign."""
    a, b = node.inputs
    found = draft.value(b)
    negative = _times(draft, node, b, -1.0) if found is None else draft.const(-found, f"{node.name}.negative")
    return draft.add(Add(op.activation), [a, negative], node)


def _div(draft: Draft, node: Node, op: Div) -> str | None:
    """The product with the reciprocal of a constant."""
    found = draft.values(node.inputs[1:])
    if found is None or not np.all(found[0]):
        return None
    return draft.add(Mul(), [node.inputs[0], draft.const(1 / found[0], f"{node.name}.reciprocal")], node)


_FORMS: Mapping[type[Op], Callable[[Draft, Node, Any], str | None]] = {
    Abs: _abs,
    Clip: _clip,
    Div: _div,
    HardSigmoid: _hard_sigmoid,
    HardSwish: _hard_swish,
    LeakyRelu: _leaky,
    Mish: _mish,
    Neg: _neg,
    Prelu: _prelu,
    Silu: _silu,
    Square: _square,
    Sub: _sub,
}
