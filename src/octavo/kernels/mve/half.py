"""float16 layers for Helium: csrc/mve/*_f16_mve.h. Their constants are those of the portable kernels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import in_elements, pixels_at
from octavo.kernels.mve.strip import strip_pixels
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.half.conv2d import HalfConv2D
from octavo.ops.half.depthwise_conv2d import HalfDepthwiseConv2D
from octavo.ops.half.elementwise import HalfAdd
from octavo.ops.half.fully_connected import HalfFullyConnected
from octavo.ops.half.rounding import DTYPE
from octavo.ops.integer.access import element_by_element

__all__ = [
    "HalfAddMve",
    "HalfConv2DMve",
    "HalfDepthwiseConv2DMve",
    "HalfFullyConnectedMve",
    "pack_half_add",
    "pack_half_conv2d",
    "pack_half_depthwise_conv2d",
    "pack_half_fully_connected",
]


@dataclass(frozen=True)
class HalfAddMve(IntegerOp):
    """The parameters of octavo_add_f16_mve."""

    count: int
    act_min: float
    act_max: float

    kernel: ClassVar[str] = "add_f16_mve"
    dtype: ClassVar[str] = DTYPE

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Elements are read before they are written."""
        one = element_by_element(np.arange(self.count), 2, 2)
        return {0: one, 1: one}


def pack_half_add(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A sum of two tensors of one shape."""
    if type(op) is not HalfAdd or op.stride1 != op.stride2 or consts:
        return None
    return Packed(HalfAddMve(math.prod(op.shape), op.act_min, op.act_max), {})


@dataclass(frozen=True)
class HalfConv2DMve(Placeable):
    """The parameters of octavo_conv2d_f16_mve."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int
    strip_w: int
    act_min: float
    act_max: float
    out_stride: int

    kernel: ClassVar[str] = "conv2d_f16_mve"
    dtype: ClassVar[str] = DTYPE

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the ring."""
        first, end = strip_pixels(self)
        written = self.out_w * np.arange(self.out_h + 1)
        writes = pixels_at(written[:-1], written[1:], self.out_c, self.out_stride)
        return {0: in_elements(distance((self.in_c * first, self.in_c * end), writes), 2)}

    def scratch(self) -> int:
        """Bytes of the ring of floats."""
        return 4 * self.kernel_h * self.strip_w * self.in_c


def pack_half_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation."""
    if type(op) is not HalfConv2D or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    call = HalfConv2DMve(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w,
        op.pad_top, op.pad_left, (op.out_w - 1) * op.stride_w + op.kernel_w, op.act_min, op.act_max, op.out_c,
    )  # fmt: skip
    return Packed(call, dict(zip(("weights", "bias"), consts, strict=True)))


@dataclass(frozen=True)
class HalfDepthwiseConv2DMve(HalfDepthwiseConv2D):
    """The parameters of octavo_depthwise_conv2d_f16_mve, which reads and writes as the portable kernel does."""

    kernel: ClassVar[str] = "depthwise_conv2d_f16_mve"


def pack_half_depthwise_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A depthwise convolution of one output a channel."""
    if type(op) is not HalfDepthwiseConv2D or op.depth_multiplier != 1:
        return None
    return Packed(HalfDepthwiseConv2DMve(**asdict(op)), dict(zip(("weights", "bias"), consts, strict=True)))


@dataclass(frozen=True)
class HalfFullyConnectedMve(HalfFullyConnected):
    """The parameters of octavo_fully_connected_f16_mve, which reads and writes as the portable kernel does."""

    kernel: ClassVar[str] = "fully_connected_f16_mve"


def pack_half_fully_connected(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """Any fully connected layer."""
    if type(op) is not HalfFullyConnected:
        return None
    return Packed(HalfFullyConnectedMve(**asdict(op)), dict(zip(("weights", "bias"), consts, strict=True)))
