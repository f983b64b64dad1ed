"""float16 functions of one element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.exponential import KNOTS, ONE, decay, decay_table
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.half.rounding import DTYPE, random_halves, random_limits, rounded
from octavo.ops.integer.access import element_by_element
from octavo.ops.integer.rows import flat_rows

__all__ = ["HalfClip", "HalfHardSwish", "HalfLeakyRelu", "HalfPrelu", "HalfSigmoid", "HalfSilu", "HalfTanh"]

_TABLE = TensorType((KNOTS,), "int32")


@dataclass(frozen=True)
class _Function(IntegerOp):
    """``size`` elements one by one; ``constant`` is the type of a second input, None where there is none."""

    size: int

    dtype: ClassVar[str] = DTYPE
    constant: ClassVar[TensorType | None] = None

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), 2, 2)}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, *consts = inputs
        if x.dtype != self.dtype or x.size != self.size or consts != [self.constant] * (self.constant is not None):
            raise ValueError(f"inputs {x} and {consts} do not match size {self.size}")
        return (x,)


@dataclass(frozen=True)
class HalfClip(_Function):
    """x between ``act_min`` and ``act_max``."""

    act_min: float
    act_max: float

    kernel: ClassVar[str] = "clip_f16"

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return rounded(x.float(), self.act_min, self.act_max)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Several limits."""
        return [Example(cls(210, *random_limits(rng)), (TensorType((1, 5, 6, 7), DTYPE),)) for _ in range(4)]


@dataclass(frozen=True)
class HalfLeakyRelu(_Function):
    """x if x > 0 else alpha * x; alpha is a float16 number."""

    alpha: float

    kernel: ClassVar[str] = "leaky_relu_f16"

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: the product is."""
        wide = x.float()
        return rounded(torch.where(wide > 0, wide, wide * self.alpha))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Slopes of both signs."""
        slopes = (float(np.float16(0.01)), -1.5, 0.0)
        return [Example(cls(210, alpha), (TensorType((1, 5, 6, 7), DTYPE),)) for alpha in slopes]


@dataclass(frozen=True)
class HalfPrelu(_Function):
    """x if x > 0 else alpha * x; alpha [channels], or one for all, is float16."""

    channels: int

    kernel: ClassVar[str] = "prelu_f16"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, alpha = inputs
        if alpha != TensorType((self.channels,), DTYPE) or x.shape[-1] % self.channels:
            raise ValueError(f"slopes {alpha} do not match input {x}")
        return super().infer((x,))

    def eval_int(self, x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: the product is."""
        wide = x.float()
        return rounded(torch.where(wide > 0, wide, wide * alpha.float()))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """A slope a channel, and one for all."""
        types = (
            (TensorType((1, 5, 6, 7), DTYPE), TensorType((7,), DTYPE)),
            (TensorType((1, 30), DTYPE), TensorType((1,), DTYPE)),
        )
        return [
            Example(cls(x.size, alpha.size), (x, alpha), {1: random_halves(rng, alpha.shape)}) for x, alpha in types
        ]


@dataclass(frozen=True)
class HalfHardSwish(_Function):
    """x * clamp(x + 3, 0, 6) / 6: three roundings in float32, then that to float16."""

    kernel: ClassVar[str] = "hard_swish_f16"

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        wide = x.float()
        return rounded(wide * (wide + 3.0).clamp(0.0, 6.0) / 6.0)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """One."""
        return [Example(cls(210), (TensorType((1, 5, 6, 7), DTYPE),))]


@dataclass(frozen=True)
class _Exponential(_Function):
    """A function of exp(-|x|), by ``decay_table``."""

    constant: ClassVar[TensorType | None] = _TABLE

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """One."""
        return [Example(cls(210), (TensorType((1, 5, 6, 7), DTYPE), _TABLE), {1: decay_table()})]


def _sigmoid(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """float32: exp(-|x|) or 1, over 1 + exp(-|x|)."""
    power = decay(x.abs(), table)
    upper = torch.where(x > 0, torch.full_like(power, ONE), power)
    return upper.float() / (power + ONE).float()


@dataclass(frozen=True)
class HalfSigmoid(_Exponential):
    """1 / (1 + exp(-x))."""

    kernel: ClassVar[str] = "sigmoid_f16"

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return rounded(_sigmoid(x.float(), table))


@dataclass(frozen=True)
class HalfSilu(_Exponential):
    """x / (1 + exp(-x)): the product of x and the sigmoid in float32."""

    kernel: ClassVar[str] = "silu_f16"

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return rounded(x.float() * _sigmoid(x.float(), table))


@dataclass(frozen=True)
class HalfTanh(_Exponential):
    """(1 - exp(-2x)) / (1 + exp(-2x)) of |x|, with the sign of x."""

    kernel: ClassVar[str] = "tanh_f16"

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        wide = x.float()
        power = decay(wide.abs() * 2.0, table)
        y = (ONE - power).float() / (power + ONE).float()
        return rounded(torch.where(wide < 0, -y, y))
