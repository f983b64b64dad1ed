"""Convolution by Winograd's minimal filtering for the DSP extension: fewer multiplications for more flash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from octavo.ir.graph import Array
from octavo.kernels.access import new_rows, pixels_at
from octavo.kernels.dsp.words import lane_words, records
from octavo.kernels.finish import finish_constants
from octavo.kernels.packed import Packed
from octavo.memory import Distance, distance
from octavo.ops.base import IntegerOp, Placeable
from octavo.ops.integer.conv2d import QConv2D

__all__ = ["Conv2DWinograd", "pack_conv2d"]

_FILTER = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], np.int64)
"""G of F(2, 3), times 2."""

_EXACT = 2**29
"""4 times a sum of products must stay inside int32; what lies between may wrap."""

_MAX_CHANNELS = 508  # the reach of an LDRD, in int16 elements


@dataclass(frozen=True)
class Conv2DWinograd(Placeable):
    """The parameters of octavo_conv2d_s8_winograd."""

    in_h: int
    in_w: int
    in_c: int
    out_h: int
    out_w: int
    out_c: int
    pad_top: int
    pad_left: int
    ring_w: int
    input_zero_point: int
    output_zero_point: int
    negative_ties: int
    act_min: int
    act_max: int
    out_stride: int

    kernel: ClassVar[str] = "conv2d_s8_winograd"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Two rows of the output are written when all rows of the image that they need are in the ring."""
        fresh, end = new_rows(self.in_h, 2 * -(-self.out_h // 2), 3, 1, self.pad_top, 2)
        row, first = self.in_w * self.in_c, np.arange(0, self.out_h, 2, dtype=np.int64)
        last = np.minimum(first + 2, self.out_h)
        writes = pixels_at(self.out_w * first, self.out_w * last, self.out_c, self.out_stride)
        return {0: distance((row * fresh, row * end), writes)}

    def scratch(self) -> int:
        """Bytes of the ring and of two transformed tiles."""
        return 4 * self.ring_w * self.in_c + 2 * 32 * self.in_c


def pack_conv2d(op: IntegerOp, consts: tuple[Array, ...]) -> Packed | None:
    """A 3 x 3 convolution of stride 1 whose input channels come in fours and output channels in pairs."""
    if type(op) is not QConv2D or (op.kernel_h, op.kernel_w, op.stride_h, op.stride_w) != (3, 3, 1, 1):
        return None
    if op.groups != 1 or (op.dilation_h, op.dilation_w) != (1, 1) or op.in_c % 4 or op.out_c % 2 or not _pays(op):
        return None
    weights, *rest = consts
    finish = finish_constants(op, weights.astype(np.int64).reshape(op.out_c, -1), *rest)
    if finish is None or op.in_c > _MAX_CHANNELS or 128 * np.abs(finish.weights).sum(axis=1).max() >= _EXACT:
        return None
    w = finish.weights.reshape(op.out_c, 3, 3, op.in_c)
    places = np.einsum("ia,oabc,jb->oijc", _FILTER, w, _FILTER).reshape(-1, 2, 16, op.in_c // 4, 4)
    words = lane_words(places.transpose(0, 2, 3, 1, 4), fours=True).reshape(len(places), -1)
    packed: dict[str, Array] = {"stream": np.concatenate([words, records(finish)], axis=1).reshape(-1)}
    ring_w = 4 * -(-op.out_w // 4) + 2
    ends = (op.output_zero_point, int(finish.negative_ties), op.act_min, op.act_max, op.out_c)
    sizes = (op.in_h, op.in_w, op.in_c, op.out_h, op.out_w, op.out_c, op.pad_top, op.pad_left, ring_w)
    return Packed(Conv2DWinograd(*sizes, op.input_zero_point, *ends), packed)


def _pays(op: QConv2D) -> bool:
    """Whether it takes fewer instructions than the plain kernel, by counts of both (per pair of output channels and two
    tiles, which are 8 pixels of the output or fewer at its edges)."""
    tiles = -(-op.out_h // 2) * -(-op.out_w // 4)
    plain = 15.5 * op.in_c * op.out_h * op.out_w / tiles
    return plain > 1.1 * (44 * op.in_c + 550 + 240 * op.in_c / op.out_c)
