"""Sums of two tensors for Helium: csrc/mve/add_s8_mve.h."""

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

__all__ = ["AddMve", "pack_add"]


@dataclass(frozen=True)
class AddMve(IntegerOp):
    """The parameters of octavo_add_s8_mve."""

    count: int
    input1_zero_point: int
    input2_zero_point: int
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

    kernel: ClassVar[str] = "add_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count))
        return {0: one, 1: one}


def pack_add(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape whose shifts go right, or nowhere."""
    if type(op) is not QAdd or op.stride1 != op.stride2 or consts or op.left_shift != LEFT_SHIFT["int8"]:
        return None
    if not all(-31 <= n <= 0 for n in (op.input1_shift, op.input2_shift, op.output_shift)):
        return None
    call = AddMve(
        math.prod(op.shape), op.input1_zero_point, op.input2_zero_point, op.input1_multiplier, op.input1_shift,
        op.input2_multiplier, op.input2_shift, op.output_multiplier, op.output_shift, op.output_zero_point,
        int(op.act_min < op.output_zero_point), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {})
