"""Pools for the DSP extension: csrc/dsp/max_pool2d_s8_dsp.h, average_pool2d_s8_dsp.h, and those of int16."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import ClassVar

from octavo.ir.graph import Array
from octavo.kernels.access import window_blocks
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.pool2d import QAveragePool2D, QAveragePool2D16, QMaxPool2D, QMaxPool2D16

__all__ = [
    "AveragePool2D16Dsp",
    "AveragePool2DDsp",
    "MaxPool2D16Dsp",
    "MaxPool2DDsp",
    "pack_average_pool2d",
    "pack_average_pool2d16",
    "pack_max_pool2d",
    "pack_max_pool2d16",
]

_MAX_WINDOW = 256  # elements of eight bits, whose sum has sixteen
_MAX_WINDOW16 = 127  # for the proof that means are exact


@dataclass(frozen=True)
class MaxPool2DDsp(QMaxPool2D):
    """The parameters of octavo_max_pool2d_s8_dsp: those of the operator."""

    kernel: ClassVar[str] = "max_pool2d_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four channels of a window are read, then written."""
        return {0: window_blocks(self, 4)}


@dataclass(frozen=True)
class AveragePool2DDsp(QAveragePool2D):
    """The parameters of octavo_average_pool2d_s8_dsp: those of the operator."""

    kernel: ClassVar[str] = "average_pool2d_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four channels of a window are read, then written."""
        return {0: window_blocks(self, 4)}


@dataclass(frozen=True)
class MaxPool2D16Dsp(QMaxPool2D16):
    """The parameters of octavo_max_pool2d_s16_dsp: those of the operator."""

    kernel: ClassVar[str] = "max_pool2d_s16_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two channels of a window are read, then written."""
        return {0: window_blocks(self, 2)}


@dataclass(frozen=True)
class AveragePool2D16Dsp(QAveragePool2D16):
    """The parameters of octavo_average_pool2d_s16_dsp: those of the operator."""

    kernel: ClassVar[str] = "average_pool2d_s16_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two channels of a window are read, then written."""
        return {0: window_blocks(self, 2)}


def pack_max_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any maximum pool."""
    return Packed(MaxPool2DDsp(*astuple(op)), {}) if type(op) is QMaxPool2D else None


def pack_max_pool2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any maximum pool of int16."""
    return Packed(MaxPool2D16Dsp(*astuple(op)), {}) if type(op) is QMaxPool2D16 else None


def pack_average_pool2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """An average pool whose sums have 16 bits."""
    if type(op) is not QAveragePool2D or op.kernel_h * op.kernel_w > _MAX_WINDOW:
        return None
    return Packed(AveragePool2DDsp(*astuple(op)), {})


def pack_average_pool2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """An average pool of int16 whose means are proved exact."""
    if type(op) is not QAveragePool2D16 or op.kernel_h * op.kernel_w > _MAX_WINDOW16:
        return None
    return Packed(AveragePool2D16Dsp(*astuple(op)), {})
