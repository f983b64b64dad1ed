"""Finds functions of one element that were written out as several operators."""

from __future__ import annotations

import math
from dataclasses import dataclass

from octavo.ir.graph import Graph, Node
from octavo.ops import (
    Add,
    Clip,
    Erf,
    Exp,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Log,
    Maximum,
    Minimum,
    Mish,
    Mul,
    Op,
    Sigmoid,
    Silu,
    Softplus,
    Square,
    Tanh,
)
from octavo.passes.fuse_activation import composed
from octavo.passes.rewrite import Draft, sweep

__all__ = ["match_functions"]

_TOLERANCE = 1e-6


def match_functions(graph: Graph) -> Graph:
    """Replace patterns by the function that they compute (constants of all elements alike count as numbers).

    1. Maximum or Minimum with a number: Clip; Clip after Clip: one Clip, before its halves are fused apart.
    2. Maximum of x and a * x, 0 < a < 1: LeakyRelu.
    3. Clip(x * a + b) to (0, 1), or c * Clip(x + b) to (0, 1 / c): HardSigmoid.
    4. x * HardSigmoid(x), or x * Clip(x + 3) to (0, 6) / 6 in any order: HardSwish.
    5. x * Sigmoid(x): Silu. 6. x * Tanh(Softplus(x)): Mish. 7. Log(Exp(x) + 1): Softplus.
    8. x / 2 * (1 + Erf(x / sqrt(2))), in any order, or the form with Tanh: Gelu.
    """
    return sweep(graph, _rule)


def _rule(draft: Draft, node: Node) -> str | None:
    op = node.op
    if isinstance(op, Maximum | Minimum):
        return _bounded(draft, node)
    if isinstance(op, Clip):
        return _clip(draft, node, op)
    if isinstance(op, Log):
        added = _sum_with_number(draft, node.inputs[0])
        inner = draft.producer(added[0]) if added is not None and _near(added[1], 1.0) else None
        return draft.add(Softplus(), list(inner.inputs), node) if inner and isinstance(inner.op, Exp) else None
    if isinstance(op, Mul):
        product = _product(draft, node)
        found = _function_of_product(draft, product) if product is not None else None
        if found is None or draft.shape(found[1]) != draft.graph.types[node.outputs[0]].shape:
            return None
        value = draft.add(found[0], [found[1]], node)
        return value if op.activation.is_none else draft.add(op.activation, [value], node)
    return None


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _number(draft: Draft, value: str) -> float | None:
    """The number that all elements of a constant are, or None."""
    constant = draft.value(value)
    if constant is None or constant.size == 0 or constant.size > 1 << 16:
        return None
    first = float(constant.flat[0])
    return first if (constant == constant.flat[0]).all() else None


def _bounded(draft: Draft, node: Node) -> str | None:
    for index in (1, 0):
        x, bound = node.inputs[1 - index], _number(draft, node.inputs[index])
        if bound is not None and draft.shape(x) == draft.graph.types[node.outputs[0]].shape:
            return draft.add(Clip(minimum=bound) if isinstance(node.op, Maximum) else Clip(maximum=bound), [x], node)
        scaled = _times_number(draft, x)
        if isinstance(node.op, Maximum) and scaled is not None and scaled[0] == node.inputs[index]:
            return draft.add(LeakyRelu(scaled[1]), [scaled[0]], node) if 0.0 < scaled[1] < 1.0 else None
    return None


def _with_number(draft: Draft, value: str, kind: type[Add] | type[Mul], activated: bool) -> tuple[str, float] | None:
    """(x, c) when ``value`` is x + c or x * c with a number c that broadcasts nothing."""
    node = draft.producer(value)
    if node is None or not isinstance(node.op, Add | Mul) or type(node.op) is not kind:
        return None
    if not activated and not node.op.activation.is_none:
        return None
    for index in (1, 0):
        number, x = _number(draft, node.inputs[index]), node.inputs[1 - index]
        if number is not None and draft.shape(x) == draft.shape(value):
            return x, number
    return None


def _sum_with_number(draft: Draft, value: str) -> tuple[str, float] | None:
    return _with_number(draft, value, Add, activated=False)


def _times_number(draft: Draft, value: str) -> tuple[str, float] | None:
    return _with_number(draft, value, Mul, activated=False)


def _clipped_sum(draft: Draft, value: str) -> tuple[str, float, float] | None:
    """(x, b, high) when ``value`` is x + b clipped to (0, high), by a Clip or by the Add itself."""
    node = draft.producer(value)
    if node is None:
        return None
    if isinstance(node.op, Clip):
        clip, added = node.op, _sum_with_number(draft, node.inputs[0])
    elif isinstance(node.op, Add):
        clip, added = node.op.activation, _with_number(draft, value, Add, activated=True)
    else:
        return None
    if added is None or clip.minimum != 0.0 or not math.isfinite(clip.maximum):
        return None
    return added[0], added[1], clip.maximum


def _clip(draft: Draft, node: Node, clip: Clip) -> str | None:
    """The function that a Clip ends, or one Clip for two (torch's decompositions bound below and above apart)."""
    (x,) = node.inputs
    inner = draft.producer(x)
    first = inner.op if inner is not None else None
    if inner is None or not isinstance(first, Clip):
        return _hard_sigmoid(draft, node, clip, x)
    both, x = composed(first, clip), inner.inputs[0]
    return _hard_sigmoid(draft, node, both, x) or draft.add(both, [x], node)


def _hard_sigmoid(draft: Draft, node: Node, clip: Clip, x: str) -> str | None:
    """Clip to (0, 1) of x * alpha + beta."""
    if (clip.minimum, clip.maximum) != (0.0, 1.0):
        return None
    added = _sum_with_number(draft, x)
    scaled = _times_number(draft, added[0]) if added is not None else None
    if added is None or scaled is None:
        return None
    return draft.add(HardSigmoid(_exact(scaled[1], 1 / 6), _exact(added[1], 0.5)), [scaled[0]], node)


def _exact(value: float, usual: float) -> float:
    """The usual number where a float32 stands for it."""
    return usual if _near(value, usual) else value


@dataclass(frozen=True)
class _Product:
    """number * factors[0] * factors[1] * ..."""

    number: float
    factors: tuple[str, ...]


def _product(draft: Draft, node: Node, depth: int = 3) -> _Product | None:
    """The product of up to a few factors that ``node`` multiplies, nested products and squares written out."""
    number, factors = 1.0, list[str]()
    for value in node.inputs:
        constant, inner = _number(draft, value), draft.producer(value)
        if constant is not None:
            number *= constant
        elif inner is not None and isinstance(inner.op, Square):
            factors += [inner.inputs[0]] * 2
        elif inner is not None and isinstance(inner.op, Mul) and inner.op.activation.is_none and depth > 0:
            nested = _product(draft, inner, depth - 1)
            if nested is None:
                return None
            number *= nested.number
            factors += nested.factors
        else:
            factors.append(value)
    return _Product(number, tuple(factors)) if len(factors) <= 4 else None


def _function_of_product(draft: Draft, product: _Product) -> tuple[Op, str] | None:
    """(f, x) when the product is f(x)."""
    if len(product.factors) == 1:
        clipped = _clipped_sum(draft, product.factors[0])
        if clipped is None or not _near(product.number * clipped[2], 1.0):
            return None
        alpha = _exact(product.number, 1 / 6)
        return HardSigmoid(alpha, _exact(clipped[1] * alpha, 0.5)), clipped[0]
    if len(product.factors) != 2:
        return None
    for x, gate in (product.factors, product.factors[::-1]):
        function = _gated(draft, x, gate, product.number)
        if function is not None:
            return function, x
    return None


def _gated(draft: Draft, x: str, gate: str, number: float) -> Op | None:
    """The function number * x * gate, where the gate is a function of x."""
    clipped = _clipped_sum(draft, gate)
    if clipped is not None and clipped[0] == x and _near(number, 1 / 6) and _near(clipped[1], 3.0):
        return HardSwish() if _near(clipped[2], 6.0) else None
    node = draft.producer(gate)
    if node is None:
        return None
    if _near(number, 1.0) and node.inputs[0] == x:
        if node.op == HardSigmoid() or _is_hard_sigmoid(node.op):
            return HardSwish()
        if isinstance(node.op, Sigmoid):
            return Silu()
    inner = draft.producer(node.inputs[0])
    if _near(number, 1.0) and isinstance(node.op, Tanh) and inner is not None and isinstance(inner.op, Softplus):
        return Mish() if inner.inputs[0] == x else None
    added = _sum_with_number(draft, gate)
    if added is None or not (_near(number, 0.5) and _near(added[1], 1.0)):
        return None
    return _gelu(draft, x, added[0])


def _is_hard_sigmoid(op: object) -> bool:
    return isinstance(op, HardSigmoid) and _near(op.alpha, 1 / 6) and _near(op.beta, 0.5)


def _gelu(draft: Draft, x: str, value: str) -> Gelu | None:
    """Which Gelu, when ``value`` is Erf(x / sqrt(2)) or Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))."""
    node = draft.producer(value)
    scaled = _times_number(draft, node.inputs[0]) if node is not None else None
    if node is None or scaled is None:
        return None
    if isinstance(node.op, Erf):
        return Gelu(approximate=False) if scaled[0] == x and _near(scaled[1], math.sqrt(0.5)) else None
    added = draft.producer(scaled[0])
    if not isinstance(node.op, Tanh) or not _near(scaled[1], math.sqrt(2 / math.pi)):
        return None
    if added is None or not isinstance(added.op, Add) or not added.op.activation.is_none or x not in added.inputs:
        return None
    cube = draft.producer(added.inputs[1 - added.inputs.index(x)])
    product = _product(draft, cube) if cube is not None and isinstance(cube.op, Mul) else None
    if product is None or product.factors != (x, x, x) or not _near(product.number, 0.044715):
        return None
    return Gelu(approximate=True)
