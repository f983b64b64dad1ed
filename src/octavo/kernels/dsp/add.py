"""Sums of two tensors for the DSP extension: csrc/dsp/add_s8_dsp.h."""

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
from octavo.ops.integer.elementwise import LEFT_SHIFT, QAdd

__all__ = ["AddDsp", "pack_add"]

_HALF = 2**30


@dataclass(frozen=True)
class AddDsp(IntegerOp):
    """The parameters of octavo_add_s8_dsp."""

    count: int
    input1_bias: int
    input2_bias: int
    input1_multiplier: int
    input1_shift: int
    input2_multiplier: int
    input2_shift: int
    output_multiplier: int
    output_shift: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "add_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count))
        return {0: one, 1: one}


def pack_add(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape.

    Operands are at most 255 * 2^20, their sum after scaling by at most a half each 2^28, so twice of it has 30 bits.
    """
    if type(op) is not QAdd or op.stride1 != op.stride2 or consts:
        return None
    operands = ((op.input1_multiplier, -op.input1_shift), (op.input2_multiplier, -op.input2_shift))
    scaled = all(1 <= n <= 30 or (q, n) == (_HALF, 0) for q, n in operands)
    n = -op.output_shift
    if op.left_shift != LEFT_SHIFT["int8"] or not scaled or not 1 <= n <= 31:
        return None
    if (abs(2 * op.output_zero_point + 1) << (n - 1)) + (2**28 * op.output_multiplier >> 31) + 2 >= 2**31:
        return None
    call = AddDsp(
        math.prod(op.shape), -(op.input1_zero_point << 21), -(op.input2_zero_point << 21),
        op.input1_multiplier, -op.input1_shift, op.input2_multiplier, -op.input2_shift,
        op.output_multiplier, n, op.output_zero_point, int(op.act_min < op.output_zero_point), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {})
