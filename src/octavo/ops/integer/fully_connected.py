"""Integer fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.access import bytes_of, in_chunks
from octavo.ops.integer.requantizing import accumulate_dtype, finish, parameter_types, random_outputs, random_parameters

__all__ = ["QFullyConnected", "QFullyConnected16"]


@dataclass(frozen=True)
class QFullyConnected(IntegerOp):
    """x [N, ..., I], weights int8 [O, I], bias int32 [O], multiplier int32, shift int8; ``rows`` vectors a sample."""

    rows: int
    in_features: int
    out_features: int
    per_channel: int
    input_zero_point: int
    output_zero_point: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "fully_connected_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, ..., O] of the operator's dtype."""
        x, w = inputs[0], inputs[1]
        if x.shape[-1] != self.in_features or x.size // x.shape[0] != self.rows * self.in_features:
            raise ValueError(f"input {x} is not {self.rows} vectors of {self.in_features}")
        if w.shape != (self.out_features, self.in_features):
            raise ValueError(f"weights {w} do not match")
        parameter_types(self, inputs, self.out_features)
        return (TensorType((*x.shape[:-1], self.out_features), self.dtype),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads its row, then is written."""
        first = self.in_features * np.arange(self.rows)
        size = bytes_of(self.dtype)
        return {0: in_chunks((first, first + self.in_features), self.out_features, size, size)}

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, multiplier: torch.Tensor, shift: torch.Tensor
    ) -> torch.Tensor:
        """Exact, as in QConv2D."""
        dtype = accumulate_dtype(self, w, 0)
        y = (x.to(dtype) - self.input_zero_point) @ w.to(dtype).T
        return finish(self, y, b, multiplier, shift)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Every weight once a row."""
        return self.rows * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """One vector and several."""
        made = []
        for rows in (1, 3):
            for per_channel in (0, 1):
                size_in, size_out = int(rng.integers(1, 600)), int(rng.integers(1, 20))
                types, consts = random_parameters(rng, (size_out, size_in), size_out, per_channel, cls.dtype)
                op = cls(rows, size_in, size_out, per_channel, *random_outputs(rng, cls.dtype))
                shape = (1, size_in) if rows == 1 else (1, rows, size_in)
                made.append(Example(op, (TensorType(shape, cls.dtype), *types), consts))
        return made


@dataclass(frozen=True)
class QFullyConnected16(QFullyConnected):
    """QFullyConnected of int16 activations, as QConv2D16."""

    kernel: ClassVar[str] = "fully_connected_s16"
    dtype: ClassVar[str] = "int16"
