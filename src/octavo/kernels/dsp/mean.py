"""Means for the DSP extension: csrc/dsp/mean_s8_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.access import mean_blocks
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.mean import QMean

__all__ = ["MeanDsp", "pack_mean"]

_FEWEST = 4


@dataclass(frozen=True)
class MeanDsp(IntegerOp):
    """The parameters of octavo_mean_s8_dsp; the shift counts to the right."""

    outer: int
    reduced: int
    inner: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int

    kernel: ClassVar[str] = "mean_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """What four neighbours are the means of is read, then they are written."""
        return {0: mean_blocks(self.outer, self.reduced, self.inner, 4)}


def pack_mean(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A mean over images of four channels and more whose requantization is that of csrc/dsp/finish.h.

    Sums are below 2^30, shifts go right by at least one, and what is added before the shift leaves no 32 bits.
    """
    if type(op) is not QMean or op.inner < _FEWEST:
        return None
    bound, right = 255 * op.reduced, -op.shift
    if bound >= 2**30 or not 1 <= right <= 31:
        return None
    if (abs(2 * op.output_zero_point + 1) << (right - 1)) + (bound * op.multiplier >> 31) + 2 >= 2**31:
        return None
    call = MeanDsp(
        op.outer, op.reduced, op.inner, op.input_zero_point, op.output_zero_point, op.multiplier, right
    )  # fmt: skip
    return Packed(call, {})
