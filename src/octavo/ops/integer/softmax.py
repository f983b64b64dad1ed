"""Integer softmax over the last axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.fixed_point import rdbp, requantize, srdhm
from octavo.num.qparams import QParams
from octavo.num.tables import softmax_parameters, softmax_table
from octavo.num.tables16 import softmax16_parameters, softmax16_tables
from octavo.num.transcendental import one_over_one_plus
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.access import bytes_of, element_by_element
from octavo.ops.integer.lookup import interpolate

__all__ = ["QSoftmax", "QSoftmax16"]

ACCUMULATOR_BITS = 12
_LARGEST_DEPTH = 8191
"""An exponential is at most 2^19 in the sum, which must stay below 2^32."""

_LARGEST_DEPTH16 = 65535
"""An exponential is at most 2^15 in the sum, which must stay below 2^31."""


@dataclass(frozen=True)
class QSoftmax(IntegerOp):
    """x [..., depth] and table int32 [256] of exponentials -> int8 of scale 1/256, zero_point -128."""

    outer: int
    depth: int
    diff_min: int

    kernel: ClassVar[str] = "softmax_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read, then element by element read again and written."""
        return {0: element_by_element(np.arange(self.outer * self.depth), bytes_of(self.dtype), bytes_of(self.dtype))}

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, table = inputs
        if x.dtype != "int8" or x.shape[-1] != self.depth or table != TensorType((256,), "int32"):
            raise ValueError(f"input {x} or table {table} does not match depth {self.depth}")
        if self.depth > _LARGEST_DEPTH:
            raise ValueError(f"a softmax over {self.depth} elements leaves 32 bits; {_LARGEST_DEPTH} is the most")
        return (x,)

    def eval_int(self, x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: sum in Q12.19, its reciprocal by Newton-Raphson, products rounded half away."""
        q = x.long()
        difference = q - q.amax(dim=-1, keepdim=True)
        counted = difference >= self.diff_min
        exps = torch.where(counted, table.long()[-difference], torch.zeros_like(q))
        total = rdbp(exps, ACCUMULATOR_BITS).sum(dim=-1, keepdim=True)
        # frexp gives the bit length: total = fraction * 2^bits with fraction in [0.5, 1), exact below 2^53
        bits = torch.frexp(total.double())[1].long()
        headroom = 32 - bits
        reciprocal = one_over_one_plus((total << headroom) - (1 << 31))
        exponent = ACCUMULATOR_BITS - headroom + 31 - 8
        y = rdbp(srdhm(reciprocal, exps), exponent) - 128
        return torch.where(counted, y, torch.full_like(y, -128)).clamp(-128, 127).to(torch.int8)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Several depths and scales; the last so flat that every probability rounds to 0."""
        made = []
        for depth, scale in ((2, 0.1), (10, 0.05), (100, 0.3), (12, 2.0), (1, 0.1), (1000, 0.0005)):
            op = cls(outer=3, depth=depth, **softmax_parameters(scale))
            types = TensorType((1, 3, depth), "int8"), TensorType((256,), "int32")
            made.append(Example(op, types, {1: softmax_table(scale)}))
        return made


@dataclass(frozen=True)
class QSoftmax16(IntegerOp):
    """x [..., depth] and two tables int16 [513], of exp and of 1 / (1 + x) -> int16 of scale 1/32768."""

    outer: int
    depth: int
    multiplier: int
    shift: int

    kernel: ClassVar[str] = "softmax_s16"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row is read, then element by element read again and written."""
        return {0: element_by_element(np.arange(self.outer * self.depth), bytes_of(self.dtype), bytes_of(self.dtype))}

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, *tables = inputs
        if x.dtype != self.dtype or x.shape[-1] != self.depth or tables != [TensorType((513,), "int16")] * 2:
            raise ValueError(f"input {x} or tables {tables} do not match depth {self.depth}")
        if self.depth > _LARGEST_DEPTH16:
            raise ValueError(f"a softmax over {self.depth} int16 leaves 32 bits; {_LARGEST_DEPTH16} is the most")
        return (x,)

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, exps: torch.Tensor, inverse: torch.Tensor
    ) -> torch.Tensor:
        """Exact: exponentials in Q0.15, the reciprocal of their sum from a table, products rounded half up."""
        difference = x.long() - x.long().amax(dim=-1, keepdim=True)
        scaled = requantize(difference, self.multiplier, self.shift) + 32767
        powers = interpolate(scaled.clamp(-32768, 32767), exps)
        total = powers.sum(dim=-1, keepdim=True)
        # frexp gives the bit length, as in QSoftmax
        bits = torch.frexp(total.double())[1].long()
        above = (((total << (31 - bits)) + (1 << 13)) >> 14) - (1 << 16) - (1 << 15)
        scale = interpolate(above.clamp(-32768, 32767), inverse)
        shift = bits - 1
        y = (powers * scale + (torch.ones_like(shift) << (shift - 1))) >> shift
        return self.clamped(y, 0)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Several depths and scales."""
        made = []
        for depth, scale in ((2, 1e-4), (10, 3e-4), (100, 1e-3), (12, 0.02), (1, 1e-4), (1000, 1e-6)):
            op = cls(3, depth, **softmax16_parameters(QParams("int16", np.array([scale], np.float32), np.array([0]))))
            exps, inverse = softmax16_tables()
            types = (TensorType((1, 3, depth), "int16"), *[TensorType((513,), "int16")] * 2)
            made.append(Example(op, types, {1: exps, 2: inverse}))
        return made
