"""Elementwise operators of two tensors, with numpy broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import Array, TensorType
from octavo.num.tables import activation_limits
from octavo.ops.base import Constraint, Example, Lowered, Op, Share, Site
from octavo.ops.half import HalfAdd, HalfMaximum, HalfMinimum, HalfMul, HalfSub
from octavo.ops.half.rounding import half_limit
from octavo.ops.integer import (
    QAdd,
    QAdd16,
    QMaximum,
    QMaximum16,
    QMinimum,
    QMinimum16,
    QMul,
    QMul16,
    QSub,
    QSub16,
    add_parameters,
    mul_parameters,
    sub_parameters,
)
from octavo.ops.integer.elementwise import Elementwise, Five
from octavo.ops.unary import NONE, Clip

__all__ = ["Add", "Div", "Maximum", "Minimum", "Mul", "Sub", "five", "strides"]


def five(shape: Sequence[int]) -> Five:
    """The shape with ones in front, to rank 5."""
    if len(shape) > 5:
        raise ValueError(f"rank {len(shape)} is above 5")
    a, b, c, d, e = (1,) * (5 - len(shape)) + tuple(shape)
    return a, b, c, d, e


def strides(shape: Sequence[int], out: Sequence[int]) -> Five:
    """Element strides with which a tensor of ``shape`` is read over ``out``: 0 where it is broadcast."""
    steps, step = [], 1
    for size, wanted in zip(reversed(five(shape)), reversed(five(out)), strict=True):
        steps.append(0 if size == 1 and wanted != 1 else step)
        step *= size
    a, b, c, d, e = reversed(steps)
    return a, b, c, d, e


class _Binary(Op):
    """Two inputs of one rank; a constant input is a tensor with an encoding of its own."""

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The broadcast shape."""
        a, b = inputs
        if len(a.shape) != len(b.shape) or a.dtype != b.dtype or len(a.shape) > 5:
            raise ValueError(f"{a} and {b} differ in rank or dtype, or have a rank above 5")
        return (TensorType(tuple(int(d) for d in np.broadcast_shapes(a.shape, b.shape)), a.dtype),)

    def _geometry(self, site: Site) -> dict[str, Any]:
        """The output's shape, and the element strides of both inputs over it."""
        out = site.out_type().shape
        first, second = strides(site.type(0).shape, out), strides(site.type(1).shape, out)
        return {"shape": five(out), "stride1": first, "stride2": second}

    def _half(self, site: Site, form: type[HalfAdd | HalfSub | HalfMul], activation: Clip) -> Lowered:
        """The float16 form."""
        limits = half_limit(activation.minimum), half_limit(activation.maximum)
        return self._lowered(site, form(**self._geometry(site), act_min=limits[0], act_max=limits[1]))

    def _lowered(self, site: Site, op: Elementwise) -> Lowered:
        """Constant operands become integer constants, in their place."""
        for index in (0, 1):
            if site.x(index).dtype != op.dtype:
                raise OctavoError(
                    site.node.source or site.node.name,
                    f"its constant operand is {site.x(index).dtype}, its activations are {op.dtype}",
                    f"Quantize the constant as {op.dtype}.",
                )
        consts: dict[str, Array] = {
            f"operand{index}": site.integers(index) for index in (0, 1) if site.graph.is_const(site.node.inputs[index])
        }
        return Lowered(op, tuple(f"operand{i}" if f"operand{i}" in consts else i for i in (0, 1)), consts)

    @classmethod
    def examples(cls) -> list[Example]:
        """Same shapes, broadcasts, a constant."""
        rng = np.random.default_rng(0)
        const = np.abs(rng.normal(size=(1, 1, 1, 3))).astype(np.float32) + 0.1
        image = TensorType((1, 4, 5, 3))
        return [
            Example(cls(), (image, image)),
            Example(cls(), (image, TensorType((1, 1, 1, 3)))),
            Example(cls(), (image, TensorType(const.shape)), {1: const}),
        ]


def _bounded(site: Site, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields; OctavoError where the output is rescaled upwards, which leaves 32 bits (TFLM stops there)."""
    if fields["output_shift"] > 0:
        raise OctavoError(
            site.node.source or site.node.name,
            "its output range is so narrow that rescaling leaves 32 bits",
            "The layer's output is all but constant on the calibration data: check the data, or prune the layer.",
        )
    return fields


def _limits(activation: Clip, site: Site) -> dict[str, Any]:
    y = site.y()
    low, high = activation_limits(activation.minimum, activation.maximum, y.scale[0], int(y.zero_point[0]), y.limits)
    return {"act_min": low, "act_max": high}


@dataclass(frozen=True)
class Add(_Binary):
    """a + b."""

    activation: Clip = NONE

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Sum, then the activation."""
        return self.activation.eval_float(a + b)

    def lower(self, site: Site) -> Lowered:
        """A QAdd, or its int16 or float16 form."""
        if site.dtype() == "float16":
            return self._half(site, HalfAdd, self.activation)
        fields = _bounded(site, add_parameters(site.x(0), site.x(1), site.y()))
        return self._lowered(
            site, site.form(QAdd, QAdd16)(**self._geometry(site), **fields, **_limits(self.activation, site))
        )


@dataclass(frozen=True)
class Sub(_Binary):
    """a - b."""

    activation: Clip = NONE

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Difference, then the activation."""
        return self.activation.eval_float(a - b)

    def lower(self, site: Site) -> Lowered:
        """A QSub, or its int16 or float16 form."""
        if site.dtype() == "float16":
            return self._half(site, HalfSub, self.activation)
        fields = _bounded(site, sub_parameters(site.x(0), site.x(1), site.y()))
        return self._lowered(
            site, site.form(QSub, QSub16)(**self._geometry(site), **fields, **_limits(self.activation, site))
        )


@dataclass(frozen=True)
class Mul(_Binary):
    """a * b."""

    activation: Clip = NONE

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Product, then the activation."""
        return self.activation.eval_float(a * b)

    def lower(self, site: Site) -> Lowered:
        """A QMul, or its int16 or float16 form."""
        if site.dtype() == "float16":
            return self._half(site, HalfMul, self.activation)
        fields = mul_parameters(site.x(0), site.x(1), site.y())
        if site.dtype() == "int16":
            _bounded(site, fields)
        return self._lowered(
            site, site.form(QMul, QMul16)(**self._geometry(site), **fields, **_limits(self.activation, site))
        )


@dataclass(frozen=True)
class Div(_Binary):
    """a / b; a constant divisor becomes a product on import, any other has no integer form."""

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Quotient."""
        return a / b

    def lower(self, site: Site) -> Lowered:
        """Refused."""
        raise OctavoError(
            site.node.source or site.node.name,
            "a division of two computed tensors has no integer form",
            "Divide by a constant, or leave this step to the host.",
        )


@dataclass(frozen=True)
class Maximum(_Binary):
    """max(a, b)."""

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's maximum."""
        return torch.maximum(a, b)

    def constraint(self) -> Constraint:
        """Both inputs and the output share one encoding."""
        return Share((0, 1))

    def lower(self, site: Site) -> Lowered:
        """A QMaximum."""
        return self._lowered(site, site.form(QMaximum, QMaximum16, HalfMaximum)(**self._geometry(site)))


@dataclass(frozen=True)
class Minimum(_Binary):
    """min(a, b)."""

    def eval_float(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's minimum."""
        return torch.minimum(a, b)

    def constraint(self) -> Constraint:
        """Both inputs and the output share one encoding."""
        return Share((0, 1))

    def lower(self, site: Site) -> Lowered:
        """A QMinimum."""
        return self._lowered(site, site.form(QMinimum, QMinimum16, HalfMinimum)(**self._geometry(site)))
