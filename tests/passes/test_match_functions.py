"""match_functions: written-out functions are found, near misses are not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from channels_first import RELU6, Source, applied, kinds

from octavo.ops import (
    NONE,
    Add,
    Clip,
    Div,
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
    Sigmoid,
    Silu,
    Softplus,
    Square,
    Tanh,
)
from octavo.passes.pipeline import normalize

Make = Callable[[Source, str], str]


def mul(s: Source, a: str, b: str | float) -> str:
    return s.add(Mul(), [a, b if isinstance(b, str) else s.values(b)], "mul")


def plus(s: Source, a: str, b: str | float, activation: Any = NONE) -> str:
    return s.add(Add(activation), [a, b if isinstance(b, str) else s.values(b)], "plus")


def unary(s: Source, op: Any, x: str) -> str:
    return s.add(op, [x], "f")


def gate(s: Source, x: str) -> str:
    return unary(s, RELU6, plus(s, x, 3.0))


def decomposed_gate(s: Source, x: str) -> str:
    """As torch's core decompositions write it: bounded below, then above."""
    return unary(s, Clip(maximum=6.0), unary(s, Clip(minimum=0.0), plus(s, x, 3.0)))


def tanh_gelu(s: Source, x: str, cube: str) -> str:
    inner = mul(s, plus(s, x, mul(s, cube, 0.044715)), math.sqrt(2 / math.pi))
    return mul(s, mul(s, x, 0.5), plus(s, unary(s, Tanh(), inner), 1.0))


FOUND: list[tuple[str, Make, list[Any]]] = [
    ("maximum", lambda s, x: s.add(Maximum(), [x, s.values(-0.5)], "y"), [Clip(minimum=-0.5)]),
    ("minimum", lambda s, x: s.add(Minimum(), [s.values(0.5), x], "y"), [Clip(maximum=0.5)]),
    ("leaky_relu", lambda s, x: s.add(Maximum(), [mul(s, x, 0.25), x], "y"), [LeakyRelu(0.25)]),
    ("hard_sigmoid", lambda s, x: unary(s, Clip(0.0, 1.0), plus(s, mul(s, x, 0.25), 0.5)), [HardSigmoid(0.25, 0.5)]),
    ("hard_sigmoid_gate", lambda s, x: mul(s, gate(s, x), 1 / 6), [HardSigmoid()]),
    ("hard_sigmoid_divided", lambda s, x: s.add(Div(), [gate(s, x), s.values(6.0)], "y"), [HardSigmoid()]),
    ("hard_swish", lambda s, x: mul(s, mul(s, x, gate(s, x)), 1 / 6), [HardSwish()]),
    ("hard_swish_divided", lambda s, x: s.add(Div(), [mul(s, gate(s, x), x), s.values(6.0)], "y"), [HardSwish()]),
    ("hard_swish_fused", lambda s, x: mul(s, mul(s, x, 1 / 6), plus(s, x, 3.0, RELU6)), [HardSwish()]),
    (
        "hard_sigmoid_decomposed",
        lambda s, x: unary(s, Clip(maximum=1.0), unary(s, Clip(minimum=0.0), plus(s, mul(s, x, 0.25), 0.5))),
        [HardSigmoid(0.25, 0.5)],
    ),
    ("hard_sigmoid_gate_decomposed", lambda s, x: mul(s, decomposed_gate(s, x), 1 / 6), [HardSigmoid()]),
    ("hard_swish_decomposed", lambda s, x: mul(s, mul(s, x, decomposed_gate(s, x)), 1 / 6), [HardSwish()]),
    ("hard_swish_of_gate", lambda s, x: mul(s, x, mul(s, gate(s, x), 1 / 6)), [HardSwish()]),
    ("hard_swish_onnx", lambda s, x: mul(s, unary(s, HardSigmoid(0.16666667, 0.5), x), x), [HardSwish()]),
    ("silu", lambda s, x: mul(s, unary(s, Sigmoid(), x), x), [Silu()]),
    ("mish", lambda s, x: mul(s, x, unary(s, Tanh(), unary(s, Softplus(), x))), [Mish()]),
    ("softplus", lambda s, x: unary(s, Log(), plus(s, unary(s, Exp(), x), 1.0)), [Softplus()]),
    (
        "gelu",
        lambda s, x: mul(s, mul(s, x, plus(s, unary(s, Erf(), mul(s, x, 1 / math.sqrt(2))), 1.0)), 0.5),
        [Gelu(False)],
    ),
    (
        "gelu_divided",
        lambda s, x: mul(
            s, mul(s, x, 0.5), plus(s, unary(s, Erf(), s.add(Div(), [x, s.values(math.sqrt(2))], "d")), 1.0)
        ),
        [Gelu(False)],
    ),
    ("gelu_tanh", lambda s, x: tanh_gelu(s, x, mul(s, mul(s, x, x), x)), [Gelu(True)]),
    ("gelu_tanh_square", lambda s, x: tanh_gelu(s, x, mul(s, unary(s, Square(), x), x)), [Gelu(True)]),
]

MISSED: list[tuple[str, Make, type]] = [
    ("gate_of_another", lambda s, x: mul(s, unary(s, Tanh(), x), unary(s, Sigmoid(), x)), Silu),
    ("another_offset", lambda s, x: mul(s, mul(s, x, unary(s, RELU6, plus(s, x, 2.0))), 1 / 6), HardSwish),
    ("another_factor", lambda s, x: mul(s, mul(s, x, gate(s, x)), 1 / 5), HardSwish),
    ("another_slope", lambda s, x: s.add(Maximum(), [mul(s, x, 1.5), x], "y"), LeakyRelu),
    ("another_range", lambda s, x: unary(s, Clip(0.0, 2.0), plus(s, mul(s, x, 0.25), 0.5)), HardSigmoid),
    ("another_erf", lambda s, x: mul(s, mul(s, x, plus(s, unary(s, Erf(), x), 1.0)), 0.5), Gelu),
]


@pytest.mark.parametrize(("make", "expected"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND])
def test_found(make: Make, expected: list[Any]) -> None:
    s = Source()
    after = applied(normalize, s.finish([make(s, s.plain(5, 4, 3))]))
    assert [node.op for node in after.nodes] == expected


@pytest.mark.parametrize(("make", "function"), [case[1:] for case in MISSED], ids=[case[0] for case in MISSED])
def test_missed(make: Make, function: type) -> None:
    s = Source()
    assert function.__name__ not in kinds(applied(normalize, s.finish([make(s, s.plain(5, 4, 3))])))


def test_a_number_that_broadcasts_is_no_clip() -> None:
    s = Source()
    after = applied(normalize, s.finish([s.add(Maximum(), [s.plain(1, 1, 3), s.random(1, 2, 2, 1, low=0.1)], "y")]))
    assert kinds(after) == {"Maximum": 1}
    s = Source()
    wide = s.values([0.0] * 4, (1, 2, 2, 1))
    assert kinds(applied(normalize, s.finish([s.add(Maximum(), [s.plain(1, 1, 3), wide], "y")]))) == {"Maximum": 1}
