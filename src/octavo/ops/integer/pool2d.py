"""Integer pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.num.qparams import integer_limits
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, sliding
from octavo.ops.integer.rows import sliding_rows
from octavo.ops.window import nchw

__all__ = ["Pool", "QAveragePool2D", "QAveragePool2D16", "QMaxPool2D", "QMaxPool2D16", "random_pools"]


@dataclass(frozen=True)
class Pool(IntegerOp):
    """The geometry of a pool."""

    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_top: int
    pad_left: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, channels] of the operator's dtype."""
        (x,) = inputs
        if x.shape[1:] != (self.in_h, self.in_w, self.channels) or x.dtype != self.dtype:
            raise ValueError(f"input {x} is not {self.dtype} [{self.in_h}, {self.in_w}, {self.channels}]")
        return (TensorType((x.shape[0], self.out_h, self.out_w, self.channels), self.dtype),)

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Rows beyond the image do not count, so there must be none."""
        return sliding_rows(self, rows, None)


@dataclass(frozen=True)
class _IntegerPool(Pool):
    act_min: int
    act_max: int

    def _padded(self, x: torch.Tensor, value: float) -> torch.Tensor:
        """Channels first, float64, with the border that the windows reach."""
        bottom = (self.out_h - 1) * self.stride_h + self.kernel_h - self.in_h - self.pad_top
        right = (self.out_w - 1) * self.stride_w + self.kernel_w - self.in_w - self.pad_left
        return F.pad(nchw(x.double()), (self.pad_left, right, self.pad_top, bottom), value=value)

    @property
    def _window(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.kernel_h, self.kernel_w), (self.stride_h, self.stride_w)


@dataclass(frozen=True)
class QMaxPool2D(_IntegerPool):
    """Maximum over the valid elements of each window."""

    kernel: ClassVar[str] = "max_pool2d_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """A pixel is written while its window is read."""
        blocks = sliding(self).in_blocks(self.channels, self.channels, self.channels, bytes_of(self.dtype))
        return {0: distance(*blocks, reads_first=False)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        y = F.max_pool2d(self._padded(x, float("-inf")), *self._window)
        return self.clamped(y.permute(0, 2, 3, 1), self.act_min, self.act_max)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Windows of several sizes, one-sided padding."""
        low, high = integer_limits(cls.dtype)
        pools = random_pools(rng, cls.dtype)
        return [Example(cls(**fields, act_min=low, act_max=high), types) for fields, types in pools]


@dataclass(frozen=True)
class QAveragePool2D(_IntegerPool):
    """Mean over each window, half away from zero; padding counts only with ``count_include_pad``."""

    count_include_pad: int
    input_zero_point: int

    kernel: ClassVar[str] = "average_pool2d_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads its window, then is written."""
        blocks = sliding(self).in_blocks(self.channels, self.channels, 1, bytes_of(self.dtype))
        return {0: distance(*blocks)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact: sums of at most 2^44 elements are exact in float64."""
        size = self.kernel_h * self.kernel_w
        padding = float(self.input_zero_point) if self.count_include_pad else 0.0
        total = (F.avg_pool2d(self._padded(x, padding), *self._window, divisor_override=1)).round().long()
        if self.count_include_pad:
            count = torch.full_like(total, size)
        else:
            ones = torch.ones_like(x[:1, :, :, :1])
            count = F.avg_pool2d(self._padded(ones, 0.0), *self._window, divisor_override=1).round().long()
        half = torch.where(total > 0, count // 2, -(count // 2))
        y = torch.div(total + half, count, rounding_mode="trunc")
        return self.clamped(y.permute(0, 2, 3, 1), self.act_min, self.act_max)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Windows of several sizes, one-sided padding, counted or not."""
        made, (low, high) = [], integer_limits(cls.dtype)
        for index, (fields, types) in enumerate(random_pools(rng, cls.dtype)):
            zero_point = int(rng.integers(-128, 128)) if cls.dtype == "int8" else 0
            op = cls(**fields, act_min=low, act_max=high, count_include_pad=index % 2, input_zero_point=zero_point)
            made.append(Example(op, types))
        return made


@dataclass(frozen=True)
class QMaxPool2D16(QMaxPool2D):
    """QMaxPool2D of int16."""

    kernel: ClassVar[str] = "max_pool2d_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QAveragePool2D16(QAveragePool2D):
    """QAveragePool2D of int16."""

    kernel: ClassVar[str] = "average_pool2d_s16"
    dtype: ClassVar[str] = "int16"


def random_pools(rng: np.random.Generator, dtype: str) -> list[tuple[dict[str, int], tuple[TensorType, ...]]]:
    """Geometries of random pools, and the types of their inputs."""
    made: list[tuple[dict[str, int], tuple[TensorType, ...]]] = []
    for kernel in ((2, 2), (3, 3), (1, 4), (5, 2)):
        stride = [int(v) for v in rng.integers(1, 4, 2)]
        size = [int(v) for v in rng.integers(5, 10, 2)]
        before = [int(rng.integers(0, k)) for k in kernel]
        after = [int(rng.integers(0, k)) for k in kernel]
        out = [(size[i] + before[i] + after[i] - kernel[i]) // stride[i] + 1 for i in (0, 1)]
        channels = int(rng.integers(1, 20))
        fields = {
            "in_h": size[0], "in_w": size[1], "channels": channels, "out_h": out[0], "out_w": out[1],
            "kernel_h": kernel[0], "kernel_w": kernel[1], "stride_h": stride[0], "stride_w": stride[1],
            "pad_top": before[0], "pad_left": before[1],
        }  # fmt: skip
        made.append((fields, (TensorType((1, *size, channels), dtype),)))
    return made
