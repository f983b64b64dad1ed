"""Sums of two int16 tensors for the DSP extension: csrc/dsp/add_s16_dsp.h."""

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

__all__ = ["Add16Dsp", "pack_add16"]

_HALF = 2**30


@dataclass(frozen=True)
class Add16Dsp(IntegerOp):
    """The parameters of octavo_add_s16_dsp."""

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

    kernel: ClassVar[str] = "add_s16_dsp"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count), 2, 2)
        return {0: one, 1: one}


def pack_add16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape.

    Operands are at most 2^30 before they are scaled by at most a half: twice their sum is at least -2^31, and below
    2^31 because 2^15 is no int16. The product of that with a multiplier is at most 2^30, what is added to it 2^29.
    """
    if type(op) is not QAdd16 or op.stride1 != op.stride2 or consts:
        return None
    operands = ((op.input1_multiplier, -op.input1_shift), (op.input2_multiplier, -op.input2_shift))
    scaled = all(1 <= n <= 30 or (q, n) == (_HALF, 0) for q, n in operands)
    n = -op.output_shift
    if op.left_shift != LEFT_SHIFT["int16"] or not scaled or not 1 <= n <= 30:
        return None
    call = Add16Dsp(
        math.prod(op.shape), op.input1_multiplier, -op.input1_shift, op.input2_multiplier, -op.input2_shift,
        op.output_multiplier, n, int(op.act_min < 0), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {})
