"""Integer resizing of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.access import Axis, bytes_of, windows_of

__all__ = ["QResizeBilinear", "QResizeNearest", "QResizeNearest16", "bilinear_scale", "nearest_indices"]

_ONE = 1 << 10


def nearest_indices(source: int, target: int, align_corners: bool, half_pixel: bool) -> NDArray[np.int32]:
    """int32 [target]: the source index of each target index, in float32 as TFLM computes it."""
    scale = (
        np.float32(source - 1) / np.float32(target - 1)
        if align_corners and target > 1
        else (np.float32(source) / np.float32(target))
    )
    offset = np.float32(0.5) if half_pixel else np.float32(0)
    position = (np.arange(target, dtype=np.float32) + offset) * scale
    index = np.floor(position + np.float32(0.5)) if align_corners else np.floor(position)
    indices: NDArray[np.int32] = np.clip(index, 0, source - 1).astype(np.int32)
    return indices


def bilinear_scale(source: int, target: int, align_corners: bool) -> int:
    """Source step per target step with 10 fraction bits, as TFLM rounds it."""
    if align_corners and target > 1:
        return (_ONE * (source - 1) + (target - 1) // 2) // (target - 1)
    return (_ONE * source + target // 2) // target


@dataclass(frozen=True)
class _Resize(IntegerOp):
    in_h: int
    in_w: int
    channels: int
    out_h: int
    out_w: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, out_h, out_w, channels] of the operator's dtype."""
        x = inputs[0]
        if x.shape[1:] != (self.in_h, self.in_w, self.channels) or x.dtype != self.dtype:
            raise ValueError(f"input {x} is not {self.dtype} [{self.in_h}, {self.in_w}, {self.channels}]")
        return (TensorType((x.shape[0], self.out_h, self.out_w, self.channels), self.dtype),)


@dataclass(frozen=True)
class QResizeNearest(_Resize):
    """Rows and columns by index: int32 [out_h] and int32 [out_w]."""

    kernel: ClassVar[str] = "resize_nearest_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Pixel by pixel copied."""
        rows, columns = (Axis(index.astype(np.int64), index.astype(np.int64) + 1) for index in consts)
        pixels = windows_of(rows, columns, self.in_w)
        blocks = pixels.in_blocks(self.channels, self.channels, self.channels, bytes_of(self.dtype))
        # A copy must not overlap what it copies.
        return {0: distance(*blocks, reads_first=False)}

    def eval_int(  # type: ignore[override]
        self, x: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
    ) -> torch.Tensor:
        """Exact."""
        return x[:, rows.long()][:, :, columns.long()]

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Up and down."""
        made = []
        for (h, w), (oh, ow), align, half in (((4, 5), (8, 10), False, False), ((7, 6), (3, 11), False, True)):
            consts = {1: nearest_indices(h, oh, align, half), 2: nearest_indices(w, ow, align, half)}
            types = (TensorType((1, h, w, 3), cls.dtype), TensorType((oh,), "int32"), TensorType((ow,), "int32"))
            made.append(Example(cls(h, w, 3, oh, ow), types, consts))
        return made


@dataclass(frozen=True)
class QResizeNearest16(QResizeNearest):
    """QResizeNearest of int16."""

    kernel: ClassVar[str] = "resize_nearest_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QResizeBilinear(_Resize):
    """Positions and weights with 10 fraction bits, the result rounded half away from zero."""

    height_scale: int
    width_scale: int
    half_pixel: int

    kernel: ClassVar[str] = "resize_bilinear_s8"

    def _axis(self, source: int, target: int, scale: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(lower index, upper index, position with 10 fraction bits)."""
        steps = torch.arange(target, dtype=torch.int64)
        position = steps * scale + (scale // 2 - _ONE // 2 if self.half_pixel else 0)
        low = torch.clamp(torch.div(position, _ONE, rounding_mode="trunc"), 0, source - 1)
        high = torch.clamp(torch.div(position + _ONE - 1, _ONE, rounding_mode="trunc"), max=source - 1)
        return low, high, position

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of the output reads its four neighbours, then is written."""
        y0, y1, _ = self._axis(self.in_h, self.out_h, self.height_scale)
        x0, x1, _ = self._axis(self.in_w, self.out_w, self.width_scale)
        rows, columns = (Axis(low.numpy(), high.numpy() + 1) for low, high in ((y0, y1), (x0, x1)))
        blocks = windows_of(rows, columns, self.in_w).in_blocks(self.channels, self.channels, 1, 1)
        return {0: distance(*blocks)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact, in 20 fraction bits."""
        q = x.long()
        y0, y1, py = self._axis(self.in_h, self.out_h, self.height_scale)
        x0, x1, px = self._axis(self.in_w, self.out_w, self.width_scale)
        fy = (py - (y0 << 10)).reshape(1, -1, 1, 1)
        fx = (px - (x0 << 10)).reshape(1, 1, -1, 1)
        top, bottom = q[:, y0], q[:, y1]
        total = top[:, :, x0] * (_ONE - fy) * (_ONE - fx) + bottom[:, :, x0] * fy * (_ONE - fx)
        total = total + top[:, :, x1] * (_ONE - fy) * fx + bottom[:, :, x1] * fy * fx
        half = torch.where(total > 0, 1 << 19, -(1 << 19))
        return torch.div(total + half, 1 << 20, rounding_mode="trunc").to(torch.int8)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Up and down, all alignments."""
        made = []
        for (h, w), (oh, ow), align, half in (
            ((4, 5), (8, 10), False, False), ((7, 6), (3, 11), False, True), ((4, 5), (7, 9), True, False),
        ):  # fmt: skip
            op = cls(h, w, 3, oh, ow, bilinear_scale(h, oh, align), bilinear_scale(w, ow, align), int(half))
            made.append(Example(op, (TensorType((1, h, w, 3), "int8"),)))
        return made
