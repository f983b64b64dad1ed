"""float16 convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.half.rounding import DTYPE, half_types, random_limits, random_parameters, rounded
from octavo.ops.half.taps import BLOCK, blocks_of_pairs, padded, tap, taps_of
from octavo.ops.integer.rows import sliding_rows
from octavo.ops.integer.sliding import check_image, random_window

__all__ = ["HalfConv2D"]


@dataclass(frozen=True)
class HalfConv2D(IntegerOp):
    """x [N, H, W, C], weights [KH, KW, C / groups, O], bias [O], all float16.

    The output channel is the last axis of the weights: neighbours are summed side by side.
    """

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
    dilation_h: int
    dilation_w: int
    pad_top: int
    pad_left: int
    groups: int
    act_min: float
    act_max: float

    kernel: ClassVar[str] = "conv2d_f16"
    dtype: ClassVar[str] = DTYPE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, out_c] of float16."""
        half_types(inputs, self.out_c)
        return check_image(self, inputs, (self.kernel_h, self.kernel_w, self.in_c // self.groups, self.out_c))

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each block of channels of a group reads the windows of two pixels, then is written."""
        return {0: blocks_of_pairs(self)}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Rows beyond the image hold zeros."""
        return sliding_rows(self, rows, 0)

    def eval_int(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: the bias, then tap after tap (row, column, channel); padding adds zeros, which change nothing."""
        image, inner = padded(self, x), self.in_c // self.groups
        wide = w.float().reshape(self.kernel_h, self.kernel_w, inner, self.groups, -1)
        size = len(x), self.out_h, self.out_w, self.groups, self.out_c // self.groups
        total = b.float().reshape(self.groups, -1).expand(size).contiguous()
        for ky, kx in taps_of(self):
            pixels = tap(self, image, ky, kx).reshape(*size[:4], inner)
            for c in range(inner):
                total += pixels[..., c, None] * wide[ky, kx, c]
        return rounded(total.reshape(*size[:3], self.out_c), self.act_min, self.act_max)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return self.out_h * self.out_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Odd shapes, strides, dilations, one-sided padding, groups."""
        return [_example(cls, rng, kernel) for kernel in ((1, 1), (3, 3), (1, 5), (3, 2), (7, 7)) for _ in range(2)]


def _example(cls: type[Any], rng: np.random.Generator, kernel: tuple[int, int]) -> Example:
    groups, *channels = (int(v) for v in rng.integers((1, 1, 1), (3, 10, 2 * BLOCK + 4)))
    in_c, out_c = groups * channels[0], groups * channels[1]
    window = random_window(rng, kernel)
    types, consts = random_parameters(rng, (*kernel, channels[0], out_c), out_c)
    fields = [
        *window.size, in_c, *window.out, out_c, *kernel, *window.stride, *window.dilation, *window.before, groups,
    ]  # fmt: skip
    op = cls(*fields, *random_limits(rng))
    return Example(op, (TensorType((1, *window.size, in_c), DTYPE), *types), consts)
