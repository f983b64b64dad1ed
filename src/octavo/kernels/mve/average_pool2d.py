"""Average pools for Helium: csrc/mve/average_pool2d_s8_mve.h."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.packed import Packed
from octavo.ops.base import IntegerOp
from octavo.ops.integer.pool2d import QAveragePool2D

__all__ = ["AveragePool2DMve", "pack_average_pool2d"]


@dataclass(frozen=True)
class AveragePool2DMve(QAveragePool2D):
    """The parameters of octavo_average_pool2d_s8_mve: those of the operator."""

    kernel: ClassVar[str] = "average_pool2d_s8_mve"


def pack_average_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any average pool."""
    return Packed(AveragePool2DMve(*astuple(op)), {}) if type(op) is QAveragePool2D else None
