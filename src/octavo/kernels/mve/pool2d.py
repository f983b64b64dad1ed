"""Pools for Helium: csrc/mve/max_pool2d_s8_mve.h and average_pool2d_s8_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.access import window_blocks
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.pool2d import QAveragePool2D, QMaxPool2D

__all__ = ["AveragePool2DMve", "MaxPool2DMve", "pack_average_pool2d", "pack_max_pool2d"]

_MAX_WINDOW = 256  # elements of eight bits, whose sum has sixteen


@dataclass(frozen=True)
class MaxPool2DMve(QMaxPool2D):
    """The parameters of octavo_max_pool2d_s8_mve: those of the operator."""

    kernel: ClassVar[str] = "max_pool2d_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Sixteen channels of a window are read, then written."""
        return {0: window_blocks(self, 16)}


@dataclass(frozen=True)
class AveragePool2DMve(QAveragePool2D):
    """The parameters of octavo_average_pool2d_s8_mve: those of the operator."""

    kernel: ClassVar[str] = "average_pool2d_s8_mve"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Eight channels of a window are read, then written."""
        return {0: window_blocks(self, 8)}


def pack_max_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any maximum pool."""
    return Packed(MaxPool2DMve(*astuple(op)), {}) if type(op) is QMaxPool2D else None


def pack_average_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """An average pool whose sums have 16 bits."""
    if type(op) is not QAveragePool2D or op.kernel_h * op.kernel_w > _MAX_WINDOW:
        return None
    return Packed(AveragePool2DMve(*astuple(op)), {})
