"""Functions of one element, of two tensors, and along the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np

from octavo.formats.onnx.call import Call, channels_first, channels_last
from octavo.formats.onnx.proto import dtype_name
from octavo.ir.graph import Array
from octavo.ops import (
    Clip,
    Div,
    Elu,
    Gelu,
    HardSigmoid,
    Identity,
    LeakyRelu,
    LogSoftmax,
    Mul,
    Op,
    Prelu,
    Reshape,
    Rsqrt,
    Softmax,
    Sqrt,
    Square,
)

__all__ = [
    "binary",
    "cast",
    "clip",
    "dropout",
    "elu",
    "gelu",
    "hard_sigmoid",
    "leaky_relu",
    "log_softmax",
    "power",
    "prelu",
    "reciprocal",
    "softmax",
    "unary",
    "variadic",
]

Converter = Callable[[Call], str]


def unary(op: Op) -> Converter:
    """A converter for a function without attributes."""
    return lambda call: call.add(op, [call.x()])


def _bound(call: Call, index: int, attribute: str, default: float) -> float:
    value = call.optional(index, attribute)
    if value is not None and value.size != 1:
        raise ValueError(f"{attribute} is not one number")
    return call.operation.number(attribute, default) if value is None else float(value.reshape(()))


def clip(call: Call) -> str:
    """Clip with limits from attributes or constant inputs."""
    return call.add(Clip(_bound(call, 1, "min", -math.inf), _bound(call, 2, "max", math.inf)), [call.x()])


def leaky_relu(call: Call) -> str:
    """LeakyRelu."""
    return call.add(LeakyRelu(call.operation.number("alpha", 0.01)), [call.x()])


def elu(call: Call) -> str:
    """Elu."""
    return call.add(Elu(call.operation.number("alpha", 1.0)), [call.x()])


def hard_sigmoid(call: Call) -> str:
    """HardSigmoid."""
    op = HardSigmoid(call.operation.number("alpha", 0.2), call.operation.number("beta", 0.5))
    return call.add(op, [call.x()])


def gelu(call: Call) -> str:
    """Gelu, exact or by tanh."""
    form = call.operation.text("approximate", "none")
    if form not in ("none", "tanh"):
        raise ValueError(f"attribute approximate is {form!r}")
    return call.add(Gelu(form == "tanh"), [call.x()])


def dropout(call: Call) -> str:
    """Dropout at inference: the identity."""
    if call.is_const(2) and bool(call.const(2, "training_mode").any()):
        raise call.refuse("is in training mode", "Export the model in inference mode.")
    if len([name for name in call.operation.outputs if name]) > 1:
        raise call.refuse("returns its mask", "Export the model in inference mode.")
    return call.add(Identity(), [call.x()])


def cast(call: Call) -> str:
    """Cast between float types: the identity."""
    target = dtype_name(call.operation.integer("to", 1))
    if target not in ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16"):
        raise call.refuse(f"casts a computed tensor to {target}", "Keep computed tensors in float.")
    return call.add(Identity(), [call.x()])


def _full_rank(call: Call, array: Array, name: str, rank: int) -> str:
    if array.ndim > rank:
        raise ValueError(f"constant of shape {list(array.shape)} has more axes than the other operand ({rank})")
    return call.constant(array.reshape((1,) * (rank - array.ndim) + array.shape), name)


def _pair(call: Call, op: Op, left: int | str, right: int, part: str = "") -> str:
    """``op`` on input ``left`` (an index or a value of the graph) and input ``right``."""
    sides = (left, right)
    ranks = {len(call.shape(_value(call, side))) for side in sides if isinstance(side, str) or not call.is_const(side)}
    if len(ranks) != 1:
        raise call.refuse(
            "broadcasts computed tensors of different rank, which aligns the batch with another axis",
            "Reshape them to one rank, with the batch on axis 0.",
        )
    (rank,) = ranks
    values = [
        _full_rank(call, call.const(side, "operand"), call.name_of(side), rank)
        if isinstance(side, int) and call.is_const(side)
        else _value(call, side)
        for side in sides
    ]
    return call.add(op, values, part)


def _value(call: Call, side: int | str) -> str:
    return side if isinstance(side, str) else call.x(side)


def binary(op: Op) -> Converter:
    """A converter for an operator of two tensors with broadcasting."""
    return lambda call: _pair(call, op, 0, 1)


def variadic(op: Op) -> Converter:
    """A converter for Max, Min and Sum: pairs from left to right, computed operands first."""

    def convert(call: Call) -> str:
        count = len(call.operation.inputs)
        if count == 1:
            return call.add(Identity(), [call.x()])
        order = sorted(range(count), key=call.is_const)
        steps: list[tuple[int, str]] = [(i, "" if i == order[-1] else f"step{n}") for n, i in enumerate(order)][1:]
        first: int | str = order[0]
        return str(reduce(lambda value, step: _pair(call, op, value, step[0], step[1]), steps, first))

    return convert


def reciprocal(call: Call) -> str:
    """1 / x."""
    ones = call.constant(np.ones((1,) * len(call.shape(call.x()))), f"{call.hint}.one")
    return call.add(Div(), [ones, call.x()])


def power(call: Call) -> str:
    """Pow with one constant exponent: -1, -0.5, 0.5, 1, 2 or 3."""
    exponents = np.unique(call.const(1, "exponent").astype(np.float64))
    if exponents.size != 1 or call.const(1, "exponent").ndim > len(call.shape(call.x())):
        raise call.refuse("has more than one exponent", "Use one constant exponent.")
    exponent, x = float(exponents[0]), call.x()
    if exponent == 3.0:
        return call.add(Mul(), [call.add(Square(), [x], "square"), x])
    if exponent == -1.0:
        return reciprocal(call)
    if exponent not in _POWERS:
        raise call.refuse(f"raises to the power {exponent}", "Use an exponent of -1, -0.5, 0.5, 1, 2 or 3.")
    return call.add(_POWERS[exponent], [x])


_POWERS: dict[float, Op] = {2.0: Square(), 1.0: Identity(), 0.5: Sqrt(), -0.5: Rsqrt()}


def prelu(call: Call) -> str:
    """PRelu with one slope, or one a channel (axis 1 or the last)."""
    slope, x = call.const(1, "slope"), call.x()
    rank = len(call.shape(x))
    if slope.ndim > rank:
        raise ValueError(f"slope {list(slope.shape)} has more axes than the input")
    shape = (1,) * (rank - slope.ndim) + slope.shape
    wide = [axis for axis, d in enumerate(shape) if d != 1]
    alpha = call.constant(slope.reshape(-1), call.name_of(1))
    if not wide or wide == [rank - 1]:
        return call.add(Prelu(), [x, alpha])
    if wide != [1]:
        raise call.refuse(f"has slopes of shape {list(slope.shape)}", "Use one slope, or one a channel.")
    image = call.transpose(x, channels_last(rank), "nhwc")
    return call.transpose(call.add(Prelu(), [image, alpha], "prelu"), channels_first(rank))


def _along_axis(call: Call, op: Op) -> str:
    x = call.x()
    shape = call.shape(x)
    rank = len(shape)
    axis = call.axis(call.operation.integer("axis", -1 if call.opset >= 13 else 1), rank)
    if axis == rank - 1:
        return call.add(op, [x])
    if call.opset < 13:  # from this axis on, all axes count as one
        flat = call.add(Reshape((*shape[:axis], math.prod(shape[axis:]))), [x], "flat")
        return call.add(Reshape(shape), [call.add(op, [flat], "softmax")])
    perm: Sequence[int] = (*(a for a in range(rank) if a != axis), axis)
    back = tuple(int(i) for i in np.argsort(perm))
    return call.transpose(call.add(op, [call.transpose(x, perm, "last")], "softmax"), back)


def softmax(call: Call) -> str:
    """Softmax along any axis but the batch."""
    return _along_axis(call, Softmax())


def log_softmax(call: Call) -> str:
    """LogSoftmax along any axis but the batch."""
    return _along_axis(call, LogSoftmax())
