"""Average pools for Helium: csrc/mve/average_pool2d_s8_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.access import sliding
from octavo.ops.integer.pool2d import QAveragePool2D

__all__ = ["AveragePool2DMve", "pack_average_pool2d"]


@dataclass(frozen=True)
class AveragePool2DMve(QAveragePool2D):
    """The parameters of octavo_average_pool2d_s8_mve: those of the operator."""

    kernel: ClassVar[str] = "average_pool2d_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four channels of a window are read, then written."""
        return {0: distance(*sliding(self).in_blocks(self.channels, self.channels, 4, 1))}


def pack_average_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any average pool."""
    return Packed(AveragePool2DMve(*astuple(op)), {}) if type(op) is QAveragePool2D else None
