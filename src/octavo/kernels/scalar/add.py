"""Sums of two tensors for cores without SIMD: csrc/scalar/add_s8_scalar.h."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch

from octavo.ir.graph import Array
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.num.fixed_point import requantize
from octavo.ops.base import IntegerOp
from octavo.ops.integer.access import element_by_element
from octavo.ops.integer.elementwise import LEFT_SHIFT, QAdd

__all__ = ["AddScalar", "pack_add"]

_SHIFT = 22
_ONE = 2**30


@dataclass(frozen=True)
class AddScalar(IntegerOp):
    """The parameters of octavo_add_s8_scalar."""

    count: int
    input1_zero_point: int
    input1_whole: int
    input1_part: int
    input1_rest: int
    input1_negative: int
    input2_zero_point: int
    input2_whole: int
    input2_part: int
    input2_rest: int
    input2_negative: int
    output_multiplier: int
    output_shift: int
    shift_only: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "add_s8_scalar"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count))
        return {0: one, 1: one}


class _Operand(NamedTuple):
    """With d = x - zero_point: whole d + ((part d + rest) >> 22), and ``negative`` more than rest where d < 0."""

    zero_point: int
    whole: int
    part: int
    rest: int
    negative: int


def pack_add(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape.

    Operands are at most 255 * 2^20, their sum after scaling by at most a half each 2^28, so four of it have 31 bits.
    """
    if type(op) is not QAdd or op.stride1 != op.stride2 or consts or op.left_shift != LEFT_SHIFT["int8"]:
        return None
    first = _operand(op.input1_zero_point, op.input1_multiplier, op.input1_shift)
    second = _operand(op.input2_zero_point, op.input2_multiplier, op.input2_shift)
    n = -op.output_shift
    if first is None or second is None or not 1 <= n <= 30:
        return None
    if (abs(2 * op.output_zero_point + 1) << n) + (2**28 * op.output_multiplier >> 30) + 4 >= 2**31:
        return None
    call = AddScalar(
        math.prod(op.shape), *first, *second, op.output_multiplier, n + 1, int(op.output_multiplier == _ONE),
        op.output_zero_point, int(op.act_min < op.output_zero_point), op.act_min, op.act_max,
    )  # fmt: skip
    return Packed(call, {})


def _operand(zero_point: int, multiplier: int, shift: int) -> _Operand | None:
    """The form of the scaled operand, tried on all elements; None where it is not exact.

    Two roundings, the second away from zero, are one rounding whose threshold depends on the sign.
    """
    d = np.arange(-128, 128) - zero_point
    shifted, q, n = (torch.from_numpy(np.array(v)) for v in (d << 20, multiplier, shift))
    scaled = np.asarray(requantize(shifted, q, n), np.int64)
    places = 20 + shift - 31 + _SHIFT
    whole, part = divmod(multiplier << places if places >= 0 else multiplier >> -places, 1 << _SHIFT)
    rests = ((scaled - whole * d) << _SHIFT) - part * d
    found = []
    for side in (rests[d >= 0], rests[d < 0]):
        lowest, highest = (int(side.max()), int(side.min()) + (1 << _SHIFT) - 1) if len(side) else (0, 0)
        if lowest > highest:
            return None
        found.append((lowest + highest) // 2)
    rest, below = found
    fits = np.abs(scaled).max() <= 255 << 19 and np.abs(part * d).max() + abs(rest) + abs(below) < 2**31
    return _Operand(zero_point, whole, part, rest, below - rest) if fits else None
