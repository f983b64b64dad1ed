"""Average pooling for x86-64: csrc/x86/average_pool2d_s8_x86.h."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.packed import Packed
from octavo.ops.base import IntegerOp
from octavo.ops.integer.pool2d import QAveragePool2D

__all__ = ["AveragePool2DX86", "pack_average_pool2d"]


@dataclass(frozen=True)
class AveragePool2DX86(QAveragePool2D):
    """The parameters of octavo_average_pool2d_s8_x86: those of octavo_average_pool2d_s8."""

    kernel: ClassVar[str] = "average_pool2d_s8_x86"


def pack_average_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any average pooling."""
    if type(op) is not QAveragePool2D or consts:
        return None
    return Packed(AveragePool2DX86(**asdict(op)), {})
