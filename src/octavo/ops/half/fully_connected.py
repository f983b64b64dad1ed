"""float16 fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp
from octavo.ops.half.rounding import DTYPE, half_types, random_limits, random_parameters, rounded
from octavo.ops.half.taps import blocks_of_groups

__all__ = ["HalfFullyConnected"]


@dataclass(frozen=True)
class HalfFullyConnected(IntegerOp):
    """x [N, ..., I], weights [I, O], bias [O], all float16; ``rows`` vectors a sample."""

    rows: int
    in_features: int
    out_features: int
    act_min: float
    act_max: float

    kernel: ClassVar[str] = "fully_connected_f16"
    dtype: ClassVar[str] = DTYPE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, ..., O] of float16."""
        x, w = inputs[0], inputs[1]
        if x.shape[-1] != self.in_features or x.size // x.shape[0] != self.rows * self.in_features:
            raise ValueError(f"input {x} is not {self.rows} vectors of {self.in_features}")
        if w.shape != (self.in_features, self.out_features):
            raise ValueError(f"weights {w} do not match")
        half_types(inputs, self.out_features)
        return (TensorType((*x.shape[:-1], self.out_features), DTYPE),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each block of channels reads its row, then is written."""
        first = self.in_features * np.arange(self.rows, dtype=np.int64)
        return {0: blocks_of_groups((first, first + self.in_features), self.out_features)}

    def eval_int(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: the bias, then feature after feature."""
        wide, features = w.float(), x.float()
        total = b.float().expand(*x.shape[:-1], self.out_features).contiguous()
        for index in range(self.in_features):
            total += features[..., index, None] * wide[index]
        return rounded(total, self.act_min, self.act_max)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Every weight once a row."""
        return self.rows * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """One vector and several."""
        made = []
        for rows in (1, 3, 1, 3):
            size_in, size_out = int(rng.integers(1, 200)), int(rng.integers(1, 30))
            types, consts = random_parameters(rng, (size_in, size_out), size_out)
            shape = (1, size_in) if rows == 1 else (1, rows, size_in)
            op = cls(rows, size_in, size_out, *random_limits(rng))
            made.append(Example(op, (TensorType(shape, DTYPE), *types), consts))
        return made
