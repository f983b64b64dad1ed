"""float16 operators of two tensors, element by element, with broadcasting by strides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from octavo.ops.base import Example
from octavo.ops.half.order import halves, keys
from octavo.ops.half.rounding import DTYPE, random_limits, rounded
from octavo.ops.integer.elementwise import Elementwise, Five, random_geometry

__all__ = ["HalfAdd", "HalfMaximum", "HalfMinimum", "HalfMul", "HalfSub"]


def _examples(cls: type[Any], rng: np.random.Generator, limits: bool = True) -> list[Example]:
    made = []
    for kind in range(3):
        types, geometry = random_geometry(rng, kind, DTYPE)
        made.append(Example(cls(*geometry, *(random_limits(rng) if limits else ())), types))
    return made


@dataclass(frozen=True)
class _Arithmetic(Elementwise):
    """One operation in float32, then the clamp and the rounding."""

    shape: Five
    stride1: Five
    stride2: Five
    act_min: float
    act_max: float

    dtype: ClassVar[str] = DTYPE

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of float32."""
        raise NotImplementedError

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return rounded(self.operation(a.float(), b.float()), self.act_min, self.act_max)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, rng)


@dataclass(frozen=True)
class HalfAdd(_Arithmetic):
    """a + b."""

    kernel: ClassVar[str] = "add_f16"

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of float32."""
        return a + b


@dataclass(frozen=True)
class HalfSub(_Arithmetic):
    """a - b."""

    kernel: ClassVar[str] = "sub_f16"

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of float32."""
        return a - b


@dataclass(frozen=True)
class HalfMul(_Arithmetic):
    """a * b."""

    kernel: ClassVar[str] = "mul_f16"

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of float32."""
        return a * b


@dataclass(frozen=True)
class _Choice(Elementwise):
    """One of the two, by their order as keys."""

    shape: Five
    stride1: Five
    stride2: Five

    dtype: ClassVar[str] = DTYPE

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of keys."""
        raise NotImplementedError

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return halves(self.operation(keys(a), keys(b)))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, rng, limits=False)


@dataclass(frozen=True)
class HalfMaximum(_Choice):
    """max(a, b)."""

    kernel: ClassVar[str] = "maximum_f16"

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of keys."""
        return torch.maximum(a, b)


@dataclass(frozen=True)
class HalfMinimum(_Choice):
    """min(a, b)."""

    kernel: ClassVar[str] = "minimum_f16"

    @staticmethod
    def operation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of keys."""
        return torch.minimum(a, b)
