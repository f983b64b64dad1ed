"""Functions of one element, of two tensors, and along one axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from octavo.formats.torch_export.call import Call, channels_first, channels_last, inverse
from octavo.ir.graph import Array
from octavo.ops import (
    Clip,
    Div,
    Elu,
    Gelu,
    Identity,
    LeakyRelu,
    LogSoftmax,
    Mul,
    Op,
    Prelu,
    Rsqrt,
    Softmax,
    Softplus,
    Sqrt,
    Square,
    Sub,
)

__all__ = [
    "binary",
    "cast",
    "clamp",
    "divide",
    "dropout",
    "elu",
    "extremum",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "power",
    "prelu",
    "reciprocal",
    "reversed_subtract",
    "softmax",
    "softplus",
    "unary",
]

Converter = Callable[[Call], str]


def unary(op: Op) -> Converter:
    """A converter for a function without attributes."""
    return lambda call: call.add(op, [call.x()])


def dropout(call: Call) -> str:
    """dropout at inference: the identity."""
    if call.arg("train", False) and call.number("p", 0.0) > 0:
        raise call.refuse("is in training mode", "Export the model in eval mode.")
    return call.add(Identity(), [call.x()])


def cast(call: Call) -> str:
    """to and _to_copy between float types: the identity."""
    dtype = call.arg("dtype")
    if isinstance(dtype, torch.dtype) and not dtype.is_floating_point:
        raise call.refuse(f"casts a computed tensor to {dtype}", "Keep computed tensors in float.")
    return call.add(Identity(), [call.x()])


def clamp(call: Call) -> str:
    """clamp, clamp_min and clamp_max by numbers."""
    return call.add(Clip(call.number("min", -math.inf), call.number("max", math.inf)), [call.x()])


def hardtanh(call: Call) -> str:
    """hardtanh."""
    return call.add(Clip(call.number("min_val", -1.0), call.number("max_val", 1.0)), [call.x()])


def leaky_relu(call: Call) -> str:
    """leaky_relu."""
    return call.add(LeakyRelu(call.number("negative_slope", 0.01)), [call.x()])


def elu(call: Call) -> str:
    """elu and, with a factor, selu."""
    x, scale = call.x(), call.number("scale", 1.0)
    if call.number("input_scale", 1.0) != 1.0:
        raise call.refuse("scales its input (celu)", "Use ELU.")
    if scale == 1.0:
        return call.add(Elu(call.number("alpha", 1.0)), [x])
    factor = call.constant(np.full((1,) * len(call.shape(x)), scale))
    return call.add(Mul(), [call.add(Elu(call.number("alpha", 1.0)), [x], "elu"), factor])


def gelu(call: Call) -> str:
    """gelu, exact or by tanh."""
    return call.add(Gelu(call.arg("approximate", "none") == "tanh"), [call.x()])


def softplus(call: Call) -> str:
    """softplus with its default threshold; beta scales before and after."""
    beta, x = call.number("beta", 1.0), call.x()
    if call.number("threshold", 20.0) != 20.0 or beta <= 0:
        raise call.refuse("has a threshold or beta of its own", "Use the defaults of Softplus.")
    if beta == 1.0:
        return call.add(Softplus(), [x])
    ones = np.ones((1,) * len(call.shape(x)))
    scaled = call.add(Mul(), [x, call.constant(ones * beta)], "scaled")
    return call.add(Mul(), [call.add(Softplus(), [scaled], "softplus"), call.constant(ones / beta)])


def _operand(call: Call, name: str, rank: int, factor: float = 1.0) -> str:
    """An operand at full rank; constants are scaled by ``factor``."""
    if not call.is_const(name):
        value, _ = call.broadcast(name)
        if len(call.shape(value)) != rank:
            raise call.refuse(
                "broadcasts computed tensors of different rank, which aligns the batch with another axis",
                "Reshape them to one rank, with the batch on axis 0.",
            )
        return value
    array: Array = call.const(name)
    if array.ndim > rank:
        raise ValueError(f"constant of shape {list(array.shape)} has more axes than the other operand ({rank})")
    return call.constant(array.reshape((1,) * (rank - array.ndim) + array.shape) * factor, call.names.get(name, ""))


def _rank(call: Call) -> int:
    names = [n for n in ("self", "other") if not call.is_const(n)]
    return max(len(call.shape(call.broadcast(n)[0])) for n in names)


def _spread(call: Call, output: str) -> str:
    """The output, when its shape is the one that expanded operands demand."""
    shapes = [np.shape(call.const(n)) if call.is_const(n) else call.broadcast(n)[1] for n in ("self", "other")]
    if np.broadcast_shapes(*shapes) != call.shape(output):
        raise call.refuse("needs an expanded tensor in full", "Combine it with a tensor of the full shape.")
    return output


def binary(op: Op, swap: bool = False) -> Converter:
    """A converter for two operands with broadcasting; ``alpha`` multiplies ``other``."""

    def convert(call: Call) -> str:
        rank, alpha = _rank(call), call.number("alpha", 1.0)
        a = _operand(call, "self", rank, alpha if swap and call.is_const("self") else 1.0)
        b = _operand(call, "other", rank, alpha if call.is_const("other") and not swap else 1.0)
        scaled = "self" if swap else "other"
        if alpha != 1.0 and not call.is_const(scaled):
            factor = call.constant(np.full((1,) * rank, alpha))
            if swap:
                a = call.add(Mul(), [a, factor], "alpha")
            else:
                b = call.add(Mul(), [b, factor], "alpha")
        return _spread(call, call.add(op, [b, a] if swap else [a, b]))

    return convert


def reversed_subtract(call: Call) -> str:
    """rsub: other - alpha * self."""
    return binary(Sub(), swap=True)(call)


def divide(call: Call) -> str:
    """div without rounding; a constant divisor becomes a product."""
    if call.given("rounding_mode"):
        raise call.refuse("rounds its quotient", "Divide without rounding_mode.")
    rank = _rank(call)
    if not call.is_const("other"):
        return _spread(call, call.add(Div(), [_operand(call, "self", rank), _operand(call, "other", rank)]))
    divisor = call.const("other").astype(np.float64)
    if (divisor == 0).any():
        raise call.refuse("divides by zero", "Repair the constant divisor.")
    factor = (1.0 / divisor).reshape((1,) * (rank - divisor.ndim) + divisor.shape)
    return call.add(Mul(), [call.x(), call.constant(factor)])


def extremum(op: Op) -> Converter:
    """A converter for max and min of two tensors; those along an axis also return indices."""

    def convert(call: Call) -> str:
        if not call.given("other"):
            raise call.refuse("looks for an extremum along an axis", "Use amax (over whole images) or maximum.")
        return binary(op)(call)

    return convert


def reciprocal(call: Call) -> str:
    """1 / x."""
    ones = call.constant(np.ones((1,) * len(call.shape(call.x()))), f"{call.hint}.one")
    return call.add(Div(), [ones, call.x()])


_POWERS: dict[float, Op] = {2.0: Square(), 1.0: Identity(), 0.5: Sqrt(), -0.5: Rsqrt()}


def power(call: Call) -> str:
    """pow with the exponent -1, -0.5, 0.5, 1, 2, 3 or 4."""
    exponent, x = call.number("exponent"), call.x()
    if exponent == 3.0:
        return call.add(Mul(), [call.add(Square(), [x], "square"), x])
    if exponent == 4.0:
        return call.add(Square(), [call.add(Square(), [x], "square")])
    if exponent == -1.0:
        return reciprocal(call)
    if exponent not in _POWERS:
        raise call.refuse(f"raises to the power {exponent}", "Use an exponent of -1, -0.5, 0.5, 1, 2, 3 or 4.")
    return call.add(_POWERS[exponent], [x])


def prelu(call: Call) -> str:
    """prelu with one slope, or one a channel (axis 1)."""
    x, alpha = call.x(), call.const("weight").reshape(-1)
    rank, slopes = len(call.shape(x)), call.constant(alpha, call.names.get("weight", ""))
    if alpha.size == 1 or rank == 2:
        return call.add(Prelu(), [x, slopes])
    image = call.transpose(x, channels_last(rank), "nhwc")
    return call.transpose(call.add(Prelu(), [image, slopes], "prelu"), channels_first(rank))


def _along(call: Call, op: Op) -> str:
    x = call.x()
    rank = len(call.shape(x))
    axis = call.axis(int(call.arg("dim")), rank)
    if axis == rank - 1:
        return call.add(op, [x])
    perm = (*(a for a in range(rank) if a != axis), axis)
    return call.transpose(call.add(op, [call.transpose(x, perm, "last")], "along"), inverse(perm))


def softmax(call: Call) -> str:
    """softmax along any axis but the batch."""
    return _along(call, Softmax())


def log_softmax(call: Call) -> str:
    """log_softmax along any axis but the batch."""
    return _along(call, LogSoftmax())
