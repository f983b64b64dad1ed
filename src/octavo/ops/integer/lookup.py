"""A function of one int8 by table, of one int16 by a table with interpolation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, element_by_element
from octavo.ops.integer.rows import flat_rows

__all__ = ["QLookup", "QLookup16", "interpolate"]


@dataclass(frozen=True)
class QLookup(IntegerOp):
    """out = table[x + 128]; table int8 [256]."""

    size: int

    kernel: ClassVar[str] = "lookup_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), bytes_of(self.dtype), bytes_of(self.dtype))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, table = inputs
        if x.dtype != "int8" or x.size != self.size or table != TensorType((256,), "int8"):
            raise ValueError(f"input {x} or table {table} does not match size {self.size}")
        return (x,)

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return table[x.long() + 128]

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """A random table."""
        table = rng.integers(-128, 128, 256).astype(np.int8)
        types = TensorType((1, 5, 6, 7), "int8"), TensorType((256,), "int8")
        return [Example(cls(size=210), types, {1: table})]


def interpolate(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """int64: between the knots of table int16 [513], which are 128 apart, at x in int16; rounded half up."""
    position, wide = x.long() + 32768, table.long()
    low = wide[position >> 7]
    step = wide[(position >> 7) + 1] - low
    return low + ((step * (position & 127) + 64) >> 7)


@dataclass(frozen=True)
class QLookup16(IntegerOp):
    """out = ``interpolate``(x, table); table int16 [513]."""

    size: int

    kernel: ClassVar[str] = "lookup_s16"
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
        if x.dtype != self.dtype or x.size != self.size or table != TensorType((513,), "int16"):
            raise ValueError(f"input {x} or table {table} does not match size {self.size}")
        return (x,)

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return self.clamped(interpolate(x, table))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """A random table."""
        table = rng.integers(-32768, 32768, 513).astype(np.int16)
        types = TensorType((1, 5, 6, 7), "int16"), TensorType((513,), "int16")
        return [Example(cls(size=210), types, {1: table})]
