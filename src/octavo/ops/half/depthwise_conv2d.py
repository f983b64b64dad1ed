"""float16 depthwise convolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.half.rounding import DTYPE, half_types, random_limits, random_parameters, rounded
from octavo.ops.half.taps import BLOCK, padded, tap, taps_of
from octavo.ops.integer.access import sliding
from octavo.ops.integer.rows import sliding_rows
from octavo.ops.integer.sliding import check_image, random_window

__all__ = ["HalfDepthwiseConv2D"]


@dataclass(frozen=True)
class HalfDepthwiseConv2D(IntegerOp):
    """x [N, H, W, C], weights [1, KH, KW, O], bias [O], all float16; O = C * multiplier."""

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
    depth_multiplier: int
    act_min: float
    act_max: float

    kernel: ClassVar[str] = "depthwise_conv2d_f16"
    dtype: ClassVar[str] = DTYPE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, out_c] of float16."""
        if self.out_c != self.in_c * self.depth_multiplier:
            raise ValueError(f"{self.out_c} output channels are not {self.in_c} times {self.depth_multiplier}")
        half_types(inputs, self.out_c)
        return check_image(self, inputs, (1, self.kernel_h, self.kernel_w, self.out_c))

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Blocks of channels of a pixel are read, then written."""
        return {0: distance(*sliding(self).in_blocks(self.in_c, self.out_c, BLOCK, 2))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Rows beyond the image hold zeros."""
        return sliding_rows(self, rows, 0)

    def eval_int(self, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact, as HalfConv2D."""
        image, wide = padded(self, x).repeat_interleave(self.depth_multiplier, dim=3), w.float()
        total = b.float().expand(len(x), self.out_h, self.out_w, self.out_c).contiguous()
        for ky, kx in taps_of(self):
            total += tap(self, image, ky, kx) * wide[0, ky, kx]
        return rounded(total, self.act_min, self.act_max)

    def macs(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Output elements times the window."""
        return self.out_h * self.out_w * inputs[1].size

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Odd shapes, strides, dilations, one-sided padding, multipliers."""
        return [_example(cls, rng, kernel) for kernel in ((1, 1), (3, 3), (1, 5), (5, 4)) for _ in range(2)]


def _example(cls: type[Any], rng: np.random.Generator, kernel: tuple[int, int]) -> Example:
    in_c, multiplier = (int(v) for v in rng.integers((1, 1), (3 * BLOCK, 4)))
    out_c = in_c * multiplier
    window = random_window(rng, kernel)
    types, consts = random_parameters(rng, (1, *kernel, out_c), out_c)
    fields = [
        *window.size, in_c, *window.out, out_c, *kernel, *window.stride, *window.dilation, *window.before, multiplier,
    ]  # fmt: skip
    op = cls(*fields, *random_limits(rng))
    return Example(op, (TensorType((1, *window.size, in_c), DTYPE), *types), consts)
