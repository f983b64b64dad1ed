"""Integer softmax over the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import TensorType
from octavo.num.fixed_point import rdbp, srdhm
from octavo.num.tables import softmax_parameters, softmax_table
from octavo.num.transcendental import one_over_one_plus
from octavo.ops.base import Example, IntegerOp

__all__ = ["QSoftmax"]

ACCUMULATOR_BITS = 12
_LARGEST_DEPTH = 8191
"""An exponential is at most 2^19 in the sum, which must stay below 2^32."""


@dataclass(frozen=True)
class QSoftmax(IntegerOp):
    """x [..., depth] and table int32 [256] of exponentials -> int8 of scale 1/256, zero_point -128."""

    outer: int
    depth: int
    diff_min: int

    kernel: ClassVar[str] = "softmax_s8"
    in_place: ClassVar[tuple[int, ...]] = (0,)

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
