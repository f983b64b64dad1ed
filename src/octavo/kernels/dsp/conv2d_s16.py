"""16x8 convolutions for the DSP extension: csrc/dsp/conv2d_s16_dsp.h and pointwise_s16_dsp.h."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import in_elements, new_rows, row_blocks
from octavo.kernels.dsp.constants_s16 import biases, scales
from octavo.kernels.dsp.words import channels_in_pairs, fits_a_lane, pack_words
from octavo.kernels.finish16 import finish_constants16
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp
from octavo.ops.integer.conv2d import QConv2D16

__all__ = ["Conv2D16Dsp", "Pointwise16Dsp", "pack_conv2d16"]

_MAX_ROWS = 16
_MAX_STRIDE = 510  # elements: the reach of an LDRD


@dataclass(frozen=True)
class Conv2D16Dsp(IntegerOp):
    """The parameters of octavo_conv2d_s16_dsp."""

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
    channels: int
    ring_w: int
    ring_row: int
    ring_size: int
    taps: int
    block: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "conv2d_s16_dsp"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A row of the output is written when all rows of the image that it needs are in the ring."""
        fresh, end = new_rows(self.in_h, self.out_h, self.kernel_h, self.stride_h, self.pad_top)
        row, written = self.in_w * self.in_c, self.out_w * self.out_c * np.arange(self.out_h + 1)
        return {0: in_elements(distance((row * fresh, row * end), (written[:-1], written[1:])), 2)}

    def scratch(self) -> int:
        """Bytes of the ring."""
        return 2 * self.ring_size


@dataclass(frozen=True)
class Pointwise16Dsp(IntegerOp):
    """The parameters of octavo_pointwise_s16_dsp."""

    pixels: int
    in_c: int
    out_c: int
    block: int
    backward: int
    wide: int
    shifted: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "pointwise_s16_dsp"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A block of pixels is read for every two channels, which are then written."""
        return {0: in_elements(row_blocks(self.pixels, self.in_c, self.out_c, self.block, 2, self.backward), 2)}


def pack_conv2d16(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution without groups and dilation whose outputs are proved exact."""
    if type(op) is not QConv2D16 or op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return None
    if op.kernel_h > _MAX_ROWS:
        return None
    weights, *rest = consts
    finish = finish_constants16(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest)
    if finish is None or not fits_a_lane(pairs := channels_in_pairs(finish.weights.reshape(weights.shape))):
        return None
    flat = (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1)
    pointwise = flat and (op.out_h, op.out_w) == (op.in_h, op.in_w) and op.in_c % 4 == 0
    # Every window must start at a word.
    channels = op.in_c if op.in_c * op.stride_w % 2 == 0 else op.in_c + 1
    taps = -(-op.kernel_w * channels // 4) * 4
    laid = np.pad(pairs, (*[(0, 0)] * 4, (0, channels - op.in_c))).reshape(*pairs.shape[:3], -1)
    words = pack_words(np.pad(laid, (*[(0, 0)] * 3, (0, taps - laid.shape[-1]))), fours=False).reshape(len(pairs), -1)
    stream = np.concatenate([biases(finish), words, scales(finish)], axis=1).reshape(-1)
    ends = (int(finish.wide), int(finish.shifted), op.act_min, op.act_max)
    if pointwise:
        pixels, backward = op.in_h * op.in_w, int(op.out_c > op.in_c)
        block = _block(op.in_c, finish.wide)
        return Packed(Pointwise16Dsp(pixels, op.in_c, op.out_c, block, backward, *ends), {"stream": stream})
    block = _block(op.stride_w * channels, finish.wide)
    return Packed(_ring(op, channels, taps, block, ends), {"stream": stream})


def _block(stride: int, wide: bool) -> int:
    """Pixels that are computed together, so many elements apart."""
    return 2 if stride <= _MAX_STRIDE and not wide else 1


def _ring(op: QConv2D16, channels: int, taps: int, block: int, ends: tuple[int, ...]) -> Conv2D16Dsp:
    pad_right = max(0, (op.out_w - 1) * op.stride_w + op.kernel_w - op.pad_left - op.in_w)
    ring_w = op.pad_left + op.in_w + max(0, pad_right - op.pad_left)
    ring_row = -(-ring_w * channels // 2) * 2
    # A window's last four may reach beyond its row, where the weights are zero.
    ring_size = op.kernel_h * ring_row + min(pad_right, op.pad_left) * channels + taps - op.kernel_w * channels
    return Conv2D16Dsp(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, channels, ring_w, ring_row, ring_size, taps, block, *ends,
    )  # fmt: skip
