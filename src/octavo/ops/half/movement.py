"""float16 operators that move elements: the kernels of int16, for the bits are what is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from octavo.ops.base import Example
from octavo.ops.half.rounding import DTYPE, half_bits
from octavo.ops.integer.interleave import QPlace16
from octavo.ops.integer.movement import QConcat16, QPad16, QSlice16, QTranspose16
from octavo.ops.integer.resize import QResizeNearest16

__all__ = ["HalfConcat", "HalfPad", "HalfPlace", "HalfResizeNearest", "HalfSlice", "HalfTranspose"]


@dataclass(frozen=True)
class HalfConcat(QConcat16):
    """QConcat of float16."""

    dtype: ClassVar[str] = DTYPE


@dataclass(frozen=True)
class HalfPad(QPad16):
    """QPad of float16; ``value`` holds the border's bits."""

    dtype: ClassVar[str] = DTYPE

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return super().eval_int(x.view(torch.int16)).view(torch.float16)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """An asymmetric border."""
        (example,) = super().examples(rng)
        return [replace(example, op=replace(example.op, value=half_bits(-7.0)))]


@dataclass(frozen=True)
class HalfPlace(QPlace16):
    """QPlace of float16."""

    dtype: ClassVar[str] = DTYPE


@dataclass(frozen=True)
class HalfResizeNearest(QResizeNearest16):
    """QResizeNearest of float16."""

    dtype: ClassVar[str] = DTYPE


@dataclass(frozen=True)
class HalfSlice(QSlice16):
    """QSlice of float16."""

    dtype: ClassVar[str] = DTYPE


@dataclass(frozen=True)
class HalfTranspose(QTranspose16):
    """QTranspose of float16."""

    dtype: ClassVar[str] = DTYPE
