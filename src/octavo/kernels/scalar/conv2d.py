"""Convolutions for cores without SIMD: csrc/scalar/conv2d_s8_scalar.h and pointwise_s8_scalar.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import pixel_blocks, ring_rows
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.kernels.scalar.chunks import PIXELS, Chunks, in_chunks, starts
from octavo.memory import Distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.conv2d import QConv2D

__all__ = ["Conv2DScalar", "PointwiseScalar", "pack_conv2d"]

_MAX_ROWS = 16


@dataclass(frozen=True)
class Conv2DScalar(Placeable):
    """The parameters of octavo_conv2d_s8_scalar."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    kernel_h: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int
    columns: int
    ring_row: int
    ring_size: int
    taps: int
    chunk: int
    shift_only: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_s8_scalar"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the ring."""
        return {0: ring_rows(self, self.kernel_h)}

    def scratch(self) -> int:
        """Bytes of the ring."""
        return 4 * self.ring_size


@dataclass(frozen=True)
class PointwiseScalar(Placeable):
    """The parameters of octavo_pointwise_s8_scalar."""

    pixels: int
    in_c: int
    out_c: int
    taps: int
    chunk: int
    backward: int
    shift_only: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "pointwise_s8_scalar"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Four pixels are read before they are written."""
        return {0: pixel_blocks(self.pixels, self.in_c, self.out_c, PIXELS, self.backward, self.out_stride)}

    def scratch(self) -> int:
        """Bytes of the words of four pixels."""
        return 2 * PIXELS * self.taps


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation whose sums are proved exact."""
    if type(op) is not QConv2D or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1) or op.kernel_h > _MAX_ROWS:
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest, scaled=4)
    chunks = None if finish is None else in_chunks(finish.weights.reshape(op.out_c, op.kernel_h, -1), finish)
    if finish is None or chunks is None:
        return None
    packed: dict[str, Array] = {"weights": chunks.weights, "records": chunks.records}
    ends = op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max, op.out_c
    flat = (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1)
    if flat and (op.out_h, op.out_w) == (op.in_h, op.in_w):
        backward = int(op.out_c > op.in_c)
        pixels = op.in_h * op.in_w, op.in_c, op.out_c, chunks.taps, chunks.chunk, backward, int(finish.shift_only)
        return Packed(PointwiseScalar(*pixels, *ends), packed)
    return Packed(_ring(op, chunks, int(finish.shift_only), ends), packed)


def _ring(op: QConv2D, chunks: Chunks, shift_only: int, ends: tuple[int, ...]) -> Conv2DScalar:
    columns = int(op.out_w - starts(op.out_w)[-1] - 1) * op.stride_w + op.kernel_w
    row = PIXELS // 2 * columns * op.in_c
    # A window's last chunk may reach beyond its row, where the weights are zero.
    size = op.kernel_h * row + PIXELS // 2 * (chunks.taps - op.kernel_w * op.in_c)
    return Conv2DScalar(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, columns, row, size, chunks.taps, chunks.chunk, shift_only, op.input_zero_point, *ends,
    )  # fmt: skip
