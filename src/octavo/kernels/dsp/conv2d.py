"""Convolutions for the DSP extension: csrc/dsp/conv2d_s8_dsp.h and pointwise_s8_dsp.h, or their forms _w4_ for 4-bit
weights and _log2_ for powers of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from octavo.ir.graph import Array
from octavo.kernels.access import pixel_blocks, ring_rows
from octavo.kernels.dsp.conv2d_apart import pack_apart
from octavo.kernels.dsp.log2 import log2_words, pair_bytes
from octavo.kernels.dsp.nibbles import EXACT_NIBBLES, nibble_records, nibble_words, nibbles_are_exact
from octavo.kernels.dsp.words import EXACT, channels_in_pairs, exact_segments, fits_a_lane, pack_words, records
from octavo.kernels.finish import finish_constants
from octavo.kernels.log2 import are_powers_of_two
from octavo.kernels.packed import Packed
from octavo.memory import Distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.conv2d import QConv2D

__all__ = [
    "Conv2DDsp",
    "Conv2DLog2Dsp",
    "Conv2DW4Dsp",
    "PointwiseDsp",
    "PointwiseLog2Dsp",
    "PointwiseW4Dsp",
    "pack_conv2d",
]

_MAX_ROWS = 16
_MAX_STRIDE = 510  # int16 elements: the reach of an LDRD
_BLOCK_BYTES = 1536
"""Most working memory for more pixels than must be, so that a pair of channels is written out less often."""
_ENOUGH_PIXELS = 32
"""For which a pair of channels is written out once: more would gain less than a twentieth."""


@dataclass(frozen=True)
class Conv2DDsp(Placeable):
    """The parameters of octavo_conv2d_s8_dsp."""

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
    ring_h: int
    ring_w: int
    ring_row: int
    ring_size: int
    taps: int
    block: int
    exact_segments: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Rows of the output are written when all rows of the image that they need are in the ring."""
        return {0: ring_rows(self, self.kernel_h, (self.ring_h - self.kernel_h) // self.stride_h + 1)}

    def scratch(self) -> int:
        """Bytes of the ring."""
        return 2 * self.ring_size


@dataclass(frozen=True)
class PointwiseDsp(Placeable):
    """The parameters of octavo_pointwise_s8_dsp."""

    pixels: int
    in_c: int
    out_c: int
    taps: int
    block: int
    backward: int
    exact_segments: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "pointwise_s8_dsp"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A block of pixels is read before it is written."""
        return {0: pixel_blocks(self.pixels, self.in_c, self.out_c, self.block, self.backward, self.out_stride)}

    def scratch(self) -> int:
        """Bytes of a block of widened pixels."""
        return 2 * self.block * self.taps


@dataclass(frozen=True)
class Conv2DW4Dsp(Conv2DDsp):
    """Conv2DDsp with 4-bit weights."""

    kernel: ClassVar[str] = "conv2d_w4_dsp"


@dataclass(frozen=True)
class PointwiseW4Dsp(PointwiseDsp):
    """PointwiseDsp with 4-bit weights."""

    kernel: ClassVar[str] = "pointwise_w4_dsp"


@dataclass(frozen=True)
class Conv2DLog2Dsp(Conv2DDsp):
    """Conv2DDsp with weights that are powers of two."""

    kernel: ClassVar[str] = "conv2d_log2_dsp"

    def scratch(self) -> int:
        """Bytes of the ring, and of a pair of channels behind it."""
        return 4 * -(-self.ring_size // 2) + pair_bytes(self.kernel_h * self.taps)


@dataclass(frozen=True)
class PointwiseLog2Dsp(PointwiseDsp):
    """PointwiseDsp with weights that are powers of two."""

    kernel: ClassVar[str] = "pointwise_log2_dsp"

    def scratch(self) -> int:
        """Bytes of a block of widened pixels, and of a pair of channels behind it."""
        return super().scratch() + pair_bytes(self.taps)


@dataclass(frozen=True)
class _Coding:
    """A way to store weights: the calls that read it, and how many pixels these take at once."""

    conv2d: type[Conv2DDsp]
    pointwise: type[PointwiseDsp]
    pixels: int


_INT8 = _Coding(Conv2DDsp, PointwiseDsp, 3)
_INT4 = _Coding(Conv2DW4Dsp, PointwiseW4Dsp, 2)
_LOG2 = _Coding(Conv2DLog2Dsp, PointwiseLog2Dsp, 3)


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A convolution whose sums are proved exact."""
    if type(op) is not QConv2D or op.kernel_h > _MAX_ROWS:
        return None
    if op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1):
        return pack_apart(op, consts)
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest)
    if finish is None:
        return None
    flat = (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) == (1, 1, 1, 1)
    pointwise = flat and (op.out_h, op.out_w) == (op.in_h, op.in_w)
    channels = op.in_c if pointwise else _ring_channels(op)
    taps = -(-op.kernel_w * channels // 4) * 4
    w = np.pad(finish.weights.reshape(weights.shape), (*[(0, 0)] * 3, (0, channels - op.in_c)))
    w = w.reshape(op.out_c, op.kernel_h, -1)
    found = _words(np.pad(w, ((0, 0), (0, 0), (0, taps - w.shape[-1]))), op.in_c % 4 == 0 and channels == op.in_c)
    if found is None:
        return None
    words, coding, exact = found
    ends_of_groups = nibble_records(finish) if coding is _INT4 else records(finish)
    packed: dict[str, Array] = {"stream": np.concatenate([words, ends_of_groups], axis=1).reshape(-1)}
    ends = (op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max, op.out_c)
    if not pointwise:
        return Packed(_ring(coding, op, channels, taps, exact, ends), packed)
    pixels, backward = op.in_h * op.in_w, int(op.out_c > op.in_c)
    group = coding.pixels if taps <= _MAX_STRIDE else 1
    block = min(max(_BLOCK_BYTES // (2 * taps) // group, 1) * group if coding is _LOG2 else group, pixels)
    return Packed(coding.pointwise(pixels, op.in_c, op.out_c, taps, block, backward, exact, *ends), packed)


def _words(w: NDArray[np.int64], fours: bool) -> tuple[NDArray[np.int32], _Coding, int] | None:
    """(words [groups, ...], coding, exact_segments) of weights [O, segments, taps]; None where no sums are exact."""
    if nibbles_are_exact(w.reshape(len(w), -1)) and (exact := exact_segments(w, EXACT_NIBBLES)) is not None:
        return nibble_words(w, fours), _INT4, exact
    pairs, exact = channels_in_pairs(w), exact_segments(w, EXACT)
    if exact is None or not fits_a_lane(pairs):
        return None
    pack, coding = (log2_words, _LOG2) if are_powers_of_two(w) else (pack_words, _INT8)
    return pack(pairs, fours).reshape(len(pairs), -1), coding, exact


def _ring_channels(op: QConv2D) -> int:
    """Elements of a pixel in the ring: every window must start at a word."""
    return op.in_c if op.in_c * op.stride_w % 2 == 0 else op.in_c + 1


def _ring(coding: _Coding, op: QConv2D, channels: int, taps: int, exact: int, ends: tuple[int, ...]) -> Conv2DDsp:
    pad_right = max(0, (op.out_w - 1) * op.stride_w + op.kernel_w - op.pad_left - op.in_w)
    ring_w = op.pad_left + op.in_w + max(0, pad_right - op.pad_left)
    ring_row = -(-ring_w * channels // 2) * 2
    ring_h = op.kernel_h + (_rows(op, ring_row) - 1) * op.stride_h if coding is _LOG2 else op.kernel_h
    # A window's last four may reach beyond its row, where the weights are zero.
    ring_size = ring_h * ring_row + min(pad_right, op.pad_left) * channels + taps - op.kernel_w * channels
    stride = op.stride_w * channels
    block = min(coding.pixels if stride <= _MAX_STRIDE else 1, op.out_w)
    return coding.conv2d(
        op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.kernel_h, op.stride_h, op.stride_w, op.pad_top,
        op.pad_left, channels, ring_h, ring_w, ring_row, ring_size, taps, block, exact,
        op.input_zero_point, *ends,
    )  # fmt: skip


def _rows(op: QConv2D, ring_row: int) -> int:
    """Rows of the output for which a pair of channels is written out once."""
    more = _BLOCK_BYTES // (2 * ring_row * op.stride_h)
    return min(op.out_h, -(-_ENOUGH_PIXELS // op.out_w), 1 + more)
