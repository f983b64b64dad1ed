"""Elementwise functions of one tensor. On the device most are a table: 256 entries of int8, 513 knots of int16."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.num import tables, tables16
from octavo.num.exponential import decay_table
from octavo.num.qparams import QParams
from octavo.ops.base import Constraint, Example, Fixed, Lowered, Op, Share, Site
from octavo.ops.half import HalfClip, HalfHardSwish, HalfLeakyRelu, HalfSigmoid, HalfSilu, HalfTanh
from octavo.ops.half.rounding import half_limit
from octavo.ops.integer import (
    QLeakyRelu16,
    QLogistic16,
    QLookup,
    QLookup16,
    QRequantize8To16,
    QRequantize16,
    QRequantize16To8,
    QReshape,
    QTanh16,
    leaky_relu_parameters,
    requantize_parameters,
)

__all__ = [
    "NONE",
    "Abs",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Requantize",
    "Rsqrt",
    "Sigmoid",
    "Silu",
    "Softplus",
    "Sqrt",
    "Square",
    "Tanh",
    "Unary",
]


class Unary(Op):
    """A function of one element: shapes pass through, the integer form is a lookup table."""

    @property
    def clamps(self) -> bool:
        """A table can end anywhere."""
        return True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as the input."""
        if len(inputs) != 1:
            raise ValueError(f"takes one input, got {len(inputs)}")
        return (inputs[0],)

    def real(self, values: Array, step: float) -> Array:
        """The function of float64 values, defined everywhere; ``step`` is the input's scale."""
        return np.asarray(self.eval_float(torch.from_numpy(np.asarray(values, dtype=np.float64))).numpy())

    def table(self, x: QParams, y: QParams) -> Array:
        """int8 [256]: the output for each input q, at index q + 128."""
        return tables.table_from_function(lambda values: self.real(values, float(x.scale[0])), x, y)

    def half(self, site: Site) -> Lowered:
        """The float16 form; OctavoError where there is none."""
        raise site.no_form()

    def lower(self, site: Site) -> Lowered:
        """A lookup with the function's table: 256 entries of int8, 513 knots of int16; or the float16 form."""
        x, y, size = site.x(), site.y(), site.out_type().size
        if site.dtype() == "float16":
            return self.half(site)
        if site.dtype() == "int8":
            return Lowered(QLookup(size=size), (0,), {"table": np.clip(self.table(x, y), *y.limits)})
        knots = tables16.lookup_table(lambda values: self.real(values, float(x.scale[0])), x, y)
        return Lowered(QLookup16(size=size), (0,), {"table": knots})

    @classmethod
    def examples(cls) -> list[Example]:
        """Two shapes."""
        return [Example(cls(), (TensorType((1, 5, 4, 3)),)), Example(cls(), (TensorType((1, 7)),))]


def _same(site: Site) -> Lowered:
    """The input under another name."""
    return Lowered(QReshape(site.out_type().shape), (0,))


def _decaying(form: type[HalfSigmoid | HalfSilu | HalfTanh], site: Site) -> Lowered:
    """A float16 function of the exponential."""
    return Lowered(form(site.out_type().size), (0,), {"table": decay_table()})


@dataclass(frozen=True)
class Identity(Unary):
    """The input (dropout at inference, too)."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """The input itself."""
        return x

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()

    def half(self, site: Site) -> Lowered:
        """No code."""
        return _same(site)

    def lower(self, site: Site) -> Lowered:
        """The identity table of int8, a rescaling by 1 of int16, no code of float16."""
        return Requantize().lower(site) if site.dtype() == "int16" else super().lower(site)


@dataclass(frozen=True)
class Requantize(Unary):
    """The same real values in another encoding."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """The input itself."""
        return x

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's QUANTIZE from int8 to int8."""
        return tables.requantize_table(x, y)

    def half(self, site: Site) -> Lowered:
        """No code."""
        return _same(site)

    def lower(self, site: Site) -> Lowered:
        """A lookup from int8 to int8; a rescaling where either side is int16."""
        x, y = site.x(), site.y()
        forms = {
            ("int8", "int16"): QRequantize8To16,
            ("int16", "int8"): QRequantize16To8,
            ("int16",) * 2: QRequantize16,
        }
        form = forms.get((x.dtype, y.dtype))
        if form is None:
            return super().lower(site)
        low, high = y.limits
        fields = requantize_parameters(x, y)
        return Lowered(form(size=site.out_type().size, **fields, act_min=low, act_max=high), (0,))


@dataclass(frozen=True)
class Clip(Unary):
    """clamp(x, minimum, maximum): ReLU is Clip(0, inf), ReLU6 is Clip(0, 6)."""

    minimum: float = -math.inf
    maximum: float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.minimum) or math.isnan(self.maximum) or self.minimum > self.maximum:
            raise ValueError(f"clip range [{self.minimum}, {self.maximum}] is empty")

    @property
    def is_none(self) -> bool:
        """Whether nothing is clipped."""
        return self.minimum == -math.inf and self.maximum == math.inf

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Clamp; the identity when nothing is clipped."""
        return x if self.is_none else torch.clamp(x, self.minimum, self.maximum)

    def table(self, x: QParams, y: QParams) -> Array:
        """Requantize, then clamp in the output's integers."""
        return tables.clip_table(x, y, self.minimum, self.maximum)

    def half(self, site: Site) -> Lowered:
        """A HalfClip."""
        return Lowered(HalfClip(site.out_type().size, half_limit(self.minimum), half_limit(self.maximum)), (0,))

    def lower(self, site: Site) -> Lowered:
        """A lookup of int8, a clamping rescaling of int16, a HalfClip."""
        if site.dtype() != "int16":
            return super().lower(site)
        y = site.y()
        low, high = tables.activation_limits(self.minimum, self.maximum, y.scale[0], int(y.zero_point[0]), y.limits)
        fields = requantize_parameters(site.x(), y)
        return Lowered(QRequantize16(size=site.out_type().size, **fields, act_min=low, act_max=high), (0,))


NONE = Clip()


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """x if x > 0 else alpha * x."""

    alpha: float = 0.01

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's leaky_relu."""
        return F.leaky_relu(x, self.alpha)

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's LEAKY_RELU."""
        return tables.leaky_relu_table(x, y, self.alpha)

    def half(self, site: Site) -> Lowered:
        """A HalfLeakyRelu."""
        return Lowered(HalfLeakyRelu(site.out_type().size, half_limit(self.alpha)), (0,))

    def lower(self, site: Site) -> Lowered:
        """A lookup of int8, two rescalings of int16, a HalfLeakyRelu."""
        if site.dtype() != "int16":
            return super().lower(site)
        fields = leaky_relu_parameters(site.x(), site.y(), self.alpha)
        return Lowered(QLeakyRelu16(size=site.out_type().size, **fields), (0,))


@dataclass(frozen=True)
class Elu(Unary):
    """x if x > 0 else alpha * (exp(x) - 1)."""

    alpha: float = 1.0

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's elu."""
        return F.elu(x, self.alpha)

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's ELU when alpha is 1, the float64 function otherwise."""
        return tables.elu_table(x, y) if self.alpha == 1.0 else super().table(x, y)


@dataclass(frozen=True)
class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's sigmoid."""
        return torch.sigmoid(x)

    def constraint(self) -> Constraint:
        """TFLite's fixed output encoding."""
        return Fixed(1 / 256, -128, 1 / 32768)

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's LOGISTIC for its own output encoding, the float64 function for others (zero_point 0)."""
        return tables.sigmoid_table(x, y) if self.is_native(y) else super().table(x, y)

    @staticmethod
    def is_native(y: QParams) -> bool:
        """Whether the output has the int8 encoding of TensorFlow Lite's LOGISTIC."""
        return float(y.scale[0]) == 1 / 256 and int(y.zero_point[0]) == -128

    def half(self, site: Site) -> Lowered:
        """A HalfSigmoid."""
        return _decaying(HalfSigmoid, site)

    def lower(self, site: Site) -> Lowered:
        """A lookup of int8, TFLM's interpolated table of int16, a HalfSigmoid."""
        if site.dtype() != "int16":
            return super().lower(site)
        where = site.node.source or site.node.name
        tables16.require_unit(site.y(), where)
        op = QLogistic16(size=site.out_type().size, **tables16.logistic_parameters(site.x(), where))
        return Lowered(op, (0,), {"table": tables16.logistic_table()})


@dataclass(frozen=True)
class Tanh(Unary):
    """Hyperbolic tangent."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's tanh."""
        return torch.tanh(x)

    def constraint(self) -> Constraint:
        """TFLite's fixed output encoding."""
        return Fixed(1 / 128, 0, 1 / 32768)

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's TANH."""
        return tables.tanh_table(x, y)

    def half(self, site: Site) -> Lowered:
        """A HalfTanh."""
        return _decaying(HalfTanh, site)

    def lower(self, site: Site) -> Lowered:
        """A lookup of int8, TFLM's interpolated table of int16, a HalfTanh."""
        if site.dtype() != "int16":
            return super().lower(site)
        where = site.node.source or site.node.name
        tables16.require_unit(site.y(), where)
        op = QTanh16(size=site.out_type().size, **tables16.tanh_parameters(site.x(), where))
        return Lowered(op, (0,), {"table": tables16.logistic_table()})


@dataclass(frozen=True)
class HardSwish(Unary):
    """x * clamp(x + 3, 0, 6) / 6."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's hardswish."""
        return F.hardswish(x)

    def table(self, x: QParams, y: QParams) -> Array:
        """TFLM's HARD_SWISH."""
        return tables.hard_swish_table(x, y)

    def half(self, site: Site) -> Lowered:
        """A HalfHardSwish."""
        return Lowered(HalfHardSwish(site.out_type().size), (0,))


@dataclass(frozen=True)
class HardSigmoid(Unary):
    """clamp(alpha * x + beta, 0, 1)."""

    alpha: float = 1 / 6
    beta: float = 0.5

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """By its definition."""
        return torch.clamp(self.alpha * x + self.beta, 0.0, 1.0)

    def constraint(self) -> Constraint:
        """The encoding of a sigmoid: the values are in [0, 1]."""
        return Fixed(1 / 256, -128, 1 / 32768)


@dataclass(frozen=True)
class Silu(Unary):
    """x * sigmoid(x)."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's silu."""
        return F.silu(x)

    def half(self, site: Site) -> Lowered:
        """A HalfSilu."""
        return _decaying(HalfSilu, site)


@dataclass(frozen=True)
class Gelu(Unary):
    """Gaussian error linear unit; ``approximate`` takes the tanh form."""

    approximate: bool = False

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's gelu."""
        return F.gelu(x, approximate="tanh" if self.approximate else "none")


@dataclass(frozen=True)
class Softplus(Unary):
    """log(1 + exp(x))."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's softplus."""
        return F.softplus(x)


@dataclass(frozen=True)
class Mish(Unary):
    """x * tanh(softplus(x))."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's mish."""
        return F.mish(x)


@dataclass(frozen=True)
class Exp(Unary):
    """e to the x."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's exp."""
        return torch.exp(x)


@dataclass(frozen=True)
class Log(Unary):
    """Natural logarithm; the table takes the smallest positive input for inputs that are not positive."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's log."""
        return torch.log(x)

    def real(self, values: Array, step: float) -> Array:
        """Defined everywhere by clamping to half a step."""
        return np.asarray(np.log(np.maximum(values, step / 2)))


@dataclass(frozen=True)
class Abs(Unary):
    """Absolute value."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's abs."""
        return torch.abs(x)


@dataclass(frozen=True)
class Neg(Unary):
    """-x."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Negation."""
        return -x


@dataclass(frozen=True)
class Sqrt(Unary):
    """Square root; negative inputs count as 0 in the table."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's sqrt."""
        return torch.sqrt(x)

    def real(self, values: Array, step: float) -> Array:
        """Of max(x, 0)."""
        return np.asarray(np.sqrt(np.maximum(values, 0.0)))


@dataclass(frozen=True)
class Rsqrt(Unary):
    """1 / sqrt(x); the table takes half a step for inputs that are not positive."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's rsqrt."""
        return torch.rsqrt(x)

    def real(self, values: Array, step: float) -> Array:
        """Defined everywhere by clamping to half a step."""
        return np.asarray(1 / np.sqrt(np.maximum(values, step / 2)))


@dataclass(frozen=True)
class Square(Unary):
    """x * x."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's square."""
        return torch.square(x)


@dataclass(frozen=True)
class Erf(Unary):
    """Gauss error function."""

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's erf."""
        return torch.erf(x)
