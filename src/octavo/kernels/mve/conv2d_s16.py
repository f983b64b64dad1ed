"""16x8 convolutions for Helium: csrc/mve/conv2d_s16_mve.h and pointwise_s16_mve.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import in_elements, pixel_blocks
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.mve.stream import pack_stream16
from octavo.kernels.mve.strip import strip_pixels
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D16

__all__ = ["Conv2D16Mve", "Pointwise16Mve", "pack_conv2d16"]

_MOVES = 4


@dataclass(frozen=True)
class Conv2D16Mve(IntegerOp):
    """The parameters of octavo_conv2d_s16_mve."""

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
    moves: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "conv2d_s16_mve"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the strip."""
        first, end = strip_pixels(self)
        written = self.out_w * self.out_c * np.arange(self.out_h + 1)
        return {0: in_elements(distance((self.in_c * first, self.in_c * end), (written[:-1], written[1:])), 2)}

    def scratch(self) -> int:
        """Bytes of the strip at its furthest."""
        advance = self.stride_h if self.stride_h < self.kernel_h else 0
        return 2 * (self.strip_w * self.kernel_h + (self.moves - 1) * advance) * self.in_c


@dataclass(frozen=True)
class Pointwise16Mve(IntegerOp):
    """The parameters of octavo_pointwise_s16_mve."""

    pixels: int
    in_c: int
    out_c: int
    backward: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "pointwise_s16_mve"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two pixels are read before they are written."""
        return {0: in_elements(pixel_blocks(self.pixels, self.in_c, self.out_c, 2, self.backward, self.out_c), 2)}

    def scratch(self) -> int:
        """Bytes of two pixels."""
        return 2 * min(2, self.pixels) * self.in_c


def pack_conv2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation whose outputs are proved exact."""
    if type(op) is not QConv2D16 or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    weights, *rest = consts
    taps = weights.transpose(0, 2, 1, 3).reshape(op.out_c, -1).astype(np.int64)
    finish = finish_constants16(op, taps, *rest)
    if finish is None:
        return None
    packed: dict[str, Array] = {"stream": pack_stream16(finish)}
    ends = int(finish.wide), int(finish.shifted), op.act_min, op.act_max
    flat = (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1)
    if flat and (op.out_h, op.out_w) == (op.in_h, op.in_w):
        return Packed(Pointwise16Mve(op.in_h * op.in_w, op.in_c, op.out_c, int(op.out_c > op.in_c), *ends), packed)
    strip_w = (op.out_w - 1) * op.stride_w + op.kernel_w
    call = Conv2D16Mve(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.kernel_w, op.stride_h, op.stride_w,
        op.pad_top, op.pad_left, strip_w, min(_MOVES, op.out_h), *ends,
    )  # fmt: skip
    return Packed(call, packed)
