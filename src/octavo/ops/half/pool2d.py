"""float16 pooling, and the mean over neighbouring axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.ops.base import Example, IntegerOp
from octavo.ops.half.order import halves, keys
from octavo.ops.half.rounding import DTYPE, rounded
from octavo.ops.half.taps import padded, tap, taps_of
from octavo.ops.integer.access import in_chunks, sliding, strided
from octavo.ops.integer.pool2d import Pool, random_pools
from octavo.ops.window import nchw

__all__ = ["HalfAveragePool2D", "HalfMaxPool2D", "HalfMean"]


@dataclass(frozen=True)
class HalfMaxPool2D(Pool):
    """Maximum over the valid elements of each window."""

    kernel: ClassVar[str] = "max_pool2d_f16"
    dtype: ClassVar[str] = DTYPE

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A pixel is written while its window is read."""
        blocks = sliding(self).in_blocks(self.channels, self.channels, self.channels, 2)
        return {0: distance(*blocks, reads_first=False)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: a maximum of keys."""
        image = padded(self, keys(x), float("-inf"))
        y = F.max_pool2d(nchw(image), (self.kernel_h, self.kernel_w), (self.stride_h, self.stride_w))
        return halves(y.permute(0, 2, 3, 1).to(torch.int16).contiguous())

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Windows of several sizes, one-sided padding."""
        return [Example(cls(**fields), types) for fields, types in random_pools(rng, DTYPE)]


@dataclass(frozen=True)
class HalfAveragePool2D(Pool):
    """Mean over each window, the sum divided in float32; padding counts only with ``count_include_pad``."""

    count_include_pad: int

    kernel: ClassVar[str] = "average_pool2d_f16"
    dtype: ClassVar[str] = DTYPE

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads its window, then is written."""
        return {0: distance(*sliding(self).in_blocks(self.channels, self.channels, 1, 2))}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: tap after tap (row, column)."""
        image = padded(self, x)
        inside = padded(self, torch.ones_like(x[:1, :, :, :1]))
        total = torch.zeros(len(x), self.out_h, self.out_w, self.channels)
        count = torch.zeros(1, self.out_h, self.out_w, 1)
        for ky, kx in taps_of(self):
            total += tap(self, image, ky, kx)
            count += 1.0 if self.count_include_pad else tap(self, inside, ky, kx)
        return rounded(total / count)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Windows of several sizes, one-sided padding, counted or not."""
        pools = enumerate(random_pools(rng, DTYPE))
        return [Example(cls(**fields, count_include_pad=index % 2), types) for index, (fields, types) in pools]


@dataclass(frozen=True)
class HalfMean(IntegerOp):
    """out[o, i] = mean over r of x[o, r, i], the sum divided in float32; ``outer`` counts one sample's."""

    outer: int
    reduced: int
    inner: int
    out_shape: tuple[int, int, int, int, int]

    kernel: ClassVar[str] = "mean_f16"
    dtype: ClassVar[str] = DTYPE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The output's shape (``out_shape`` with zeros in front of it)."""
        (x,) = inputs
        shape = tuple(d for d in self.out_shape if d)
        if x.size != self.outer * self.reduced * self.inner or x.dtype != self.dtype:
            raise ValueError(f"input {x} is not {self.outer} x {self.reduced} x {self.inner} {self.dtype}")
        if TensorType(shape).size != self.outer * self.inner:
            raise ValueError(f"output shape {shape} does not match")
        return (TensorType(shape, self.dtype),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads what it is the mean of, then is written."""
        first = strided((self.outer, self.inner), (self.reduced * self.inner, 1))
        return {0: in_chunks((first, first + (self.reduced - 1) * self.inner + 1), 1, 2, 2)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: element after element."""
        shape = [d for d in self.out_shape if d]
        parts = x.float().reshape(len(x), self.outer, self.reduced, self.inner)
        total = torch.zeros(len(x), self.outer, self.inner)
        for index in range(self.reduced):
            total += parts[:, :, index]
        return rounded(total / self.reduced).reshape(len(x), *shape[1:])

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Over an image, over channels, over one axis."""
        return [
            Example(
                cls(outer, reduced, inner, (0, 0, 1, outer, inner)), (TensorType((1, outer * reduced * inner), DTYPE),)
            )
            for outer, reduced, inner in ((1, 30, 7), (12, 5, 1), (3, 4, 6), (1, 1, 9))
        ]
