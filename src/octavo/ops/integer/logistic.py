"""Integer sigmoid and tanh of int16: linear interpolation in a table of the sigmoid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.qparams import QParams
from octavo.num.tables16 import logistic_parameters, logistic_table
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, element_by_element
from octavo.ops.integer.rows import flat_rows

__all__ = ["QLogistic16", "QTanh16"]


@dataclass(frozen=True)
class _Sigmoid16(IntegerOp):
    """table is int16 [256]: sigmoid(i / 24) * 2^16 - 2^15."""

    size: int
    multiplier: int
    shift: int

    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), bytes_of(self.dtype), bytes_of(self.dtype))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, table = inputs
        if x.dtype != self.dtype or x.size != self.size or table != TensorType((256,), "int16"):
            raise ValueError(f"input {x} or table {table} does not match size {self.size}")
        return (x,)

    def _position(self, x: torch.Tensor) -> torch.Tensor:
        """The input in the table's scale, rounded half up."""
        return (x.long() * self.multiplier + ((1 << self.shift) >> 1)) >> self.shift

    @staticmethod
    def _interpolated(position: torch.Tensor, table: torch.Tensor, bits: int, most: int) -> torch.Tensor:
        """The sigmoid at a position >= 0 of ``bits`` more fraction bits than the table; ``most`` from entry 255 on."""
        index = position >> bits
        low = table.long()[index.clamp(max=254)]
        step = table.long()[index.clamp(max=254) + 1] - low
        result = ((low + 32768) << bits) + (position & ((1 << bits) - 1)) * step
        return torch.where(index >= 255, torch.full_like(result, most), result)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Scales from a power of two to saturation."""
        types, made = (TensorType((1, 5, 6, 7), "int16"), TensorType((256,), "int16")), []
        for scale in (2.0**-12, 1e-4, 3e-3, 1e-6):
            encoding = QParams("int16", np.array([scale], np.float32), np.array([0]))
            made.append(Example(cls(size=210, **logistic_parameters(encoding)), types, {1: logistic_table()}))
        return made


@dataclass(frozen=True)
class QLogistic16(_Sigmoid16):
    """sigmoid(x) in Q0.15: the table has a step of 1/24, 512 positions a step."""

    kernel: ClassVar[str] = "logistic_s16"

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact; sigmoid(-x) is 1 - sigmoid(x)."""
        position = self._position(x)
        y = self._interpolated(position.abs(), table, 9, 32767 << 10)
        return self.clamped(torch.where(position >= 0, y + (1 << 9), (1 << 25) - y + (1 << 9) - 1) >> 10)


@dataclass(frozen=True)
class QTanh16(_Sigmoid16):
    """tanh(x) = 2 sigmoid(2x) - 1 in Q0.15: 256 positions a step of the table."""

    kernel: ClassVar[str] = "tanh_s16"

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact; odd but for the rounding."""
        position = self._position(x)
        y = self._interpolated(position.abs(), table, 8, 65535 << 8) - (1 << 23)
        return self.clamped(torch.where(position >= 0, y + (1 << 7), -y + (1 << 7) - 1) >> 8)
