"""Means for Helium: csrc/mve/mean_s8_mve.h."""

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

__all__ = ["MeanMve", "pack_mean"]

_FEWEST = 4


@dataclass(frozen=True)
class MeanMve(IntegerOp):
    """The parameters of octavo_mean_s8_mve."""

    outer: int
    reduced: int
    inner: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int

    kernel: ClassVar[str] = "mean_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """What eight neighbours are the means of is read, then they are written."""
        return {0: mean_blocks(self.outer, self.reduced, self.inner, 8)}


def pack_mean(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A mean over images of four channels and more, whose sum has 32 bits and whose shift goes right, or nowhere."""
    if type(op) is not QMean or op.inner < _FEWEST or 255 * op.reduced >= 2**31 or not -31 <= op.shift <= 0:
        return None
    call = MeanMve(
        op.outer, op.reduced, op.inner, op.input_zero_point, op.output_zero_point, op.multiplier, op.shift
    )  # fmt: skip
    return Packed(call, {})
