"""float16 softmax over the last axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.exponential import KNOTS, decay, decay_table
from octavo.ops.base import Example, IntegerOp
from octavo.ops.half.rounding import DTYPE, rounded
from octavo.ops.integer.access import element_by_element

__all__ = ["HalfSoftmax"]


@dataclass(frozen=True)
class HalfSoftmax(IntegerOp):
    """x [..., depth] and the table of ``decay_table`` -> exp(x - max) in integers, divided by their sum in float32."""

    outer: int
    depth: int

    kernel: ClassVar[str] = "softmax_f16"
    dtype: ClassVar[str] = DTYPE

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read, then element by element read again and written."""
        return {0: element_by_element(np.arange(self.outer * self.depth), 2, 2)}

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, table = inputs
        if x.dtype != self.dtype or x.shape[-1] != self.depth or table != TensorType((KNOTS,), "int32"):
            raise ValueError(f"input {x} or table {table} does not match depth {self.depth}")
        return (x,)

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        wide = x.float()
        powers = decay(wide.amax(dim=-1, keepdim=True) - wide, table)
        return rounded(powers.float() / powers.sum(dim=-1, keepdim=True).float())

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Several depths."""
        types = [(TensorType((1, 3, depth), DTYPE), TensorType((KNOTS,), "int32")) for depth in (2, 10, 100, 1, 1000)]
        return [Example(cls(3, pair[0].shape[-1]), pair, {1: decay_table()}) for pair in types]
