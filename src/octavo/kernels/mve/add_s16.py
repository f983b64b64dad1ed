"""Sums of two int16 tensors for Helium: csrc/mve/add_s16_mve.h."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.access import element_by_element
from octavo.ops.integer.elementwise import LEFT_SHIFT, QAdd16

__all__ = ["Add16Mve", "pack_add16"]


@dataclass(frozen=True)
class Add16Mve(IntegerOp):
    """The parameters of octavo_add_s16_mve."""

    count: int
    input1_multiplier: int
    input1_shift: int
    input2_multiplier: int
    input2_shift: int
    output_multiplier: int
    output_shift: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "add_s16_mve"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count), 2, 2)
        return {0: one, 1: one}


def pack_add16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape whose shifts go right, or nowhere."""
    if type(op) is not QAdd16 or op.stride1 != op.stride2 or consts or op.left_shift != LEFT_SHIFT["int16"]:
        return None
    if not all(-31 <= n <= 0 for n in (op.input1_shift, op.input2_shift, op.output_shift)):
        return None
    call = Add16Mve(
        math.prod(op.shape), op.input1_multiplier, op.input1_shift, op.input2_multiplier, op.input2_shift,
        op.output_multiplier, op.output_shift, int(op.act_min < 0), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {})
