"""Upsampling and downsampling of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from octavo.ir.graph import TensorType
from octavo.ops.base import Constraint, Example, Lowered, Op, Share, Site
from octavo.ops.half import HalfResizeNearest
from octavo.ops.integer import QResizeBilinear, QResizeNearest, QResizeNearest16, bilinear_scale, nearest_indices
from octavo.ops.window import Pair

__all__ = ["ResizeBilinear", "ResizeNearest"]


def _infer(inputs: Sequence[TensorType], size: Pair) -> tuple[TensorType, ...]:
    (x,) = inputs
    if len(x.shape) != 4 or min(size) < 1:
        raise ValueError(f"input {x} must have rank 4 and the size {size} must be positive")
    return (TensorType((x.shape[0], *size, x.shape[3]), x.dtype),)


def _scale(source: int, target: int, align_corners: bool) -> float:
    return (source - 1) / (target - 1) if align_corners and target > 1 else source / target


def _nearest(source: int, target: int, align_corners: bool, half_pixel: bool) -> torch.Tensor:
    position = (torch.arange(target, dtype=torch.float64) + (0.5 if half_pixel else 0.0)) * _scale(
        source, target, align_corners
    )
    index = torch.floor(position + 0.5) if align_corners else torch.floor(position)
    return index.clamp(0, source - 1).long()


def _linear(source: int, target: int, align_corners: bool, half_pixel: bool) -> tuple[torch.Tensor, ...]:
    steps = torch.arange(target, dtype=torch.float64)
    scale = _scale(source, target, align_corners)
    position = (steps + 0.5) * scale - 0.5 if half_pixel else steps * scale
    position = position.clamp(0, source - 1)
    low = torch.floor(position).long()
    return low, (low + 1).clamp(max=source - 1), (position - low).float()


@dataclass(frozen=True)
class ResizeNearest(Op):
    """Nearest pixel of a channels-last image, by TFLite's index rules."""

    size: Pair = (1, 1)
    align_corners: bool = False
    half_pixel_centers: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, *size, C]."""
        return _infer(inputs, self.size)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Gather rows and columns."""
        rows = _nearest(x.shape[1], self.size[0], self.align_corners, self.half_pixel_centers)
        columns = _nearest(x.shape[2], self.size[1], self.align_corners, self.half_pixel_centers)
        return x[:, rows.to(x.device)][:, :, columns.to(x.device)]

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()

    def lower(self, site: Site) -> Lowered:
        """A QResizeNearest."""
        (_, h, w, channels), (out_h, out_w) = site.type(0).shape, self.size
        indices = {
            "rows": nearest_indices(h, out_h, self.align_corners, self.half_pixel_centers),
            "columns": nearest_indices(w, out_w, self.align_corners, self.half_pixel_centers),
        }
        form = site.form(QResizeNearest, QResizeNearest16, HalfResizeNearest)
        return Lowered(form(h, w, channels, out_h, out_w), (0,), indices)

    @classmethod
    def examples(cls) -> list[Example]:
        """Twofold, and odd sizes."""
        image = (TensorType((1, 4, 5, 3)),)
        return [
            Example(cls((8, 10)), image),
            Example(cls((7, 9), False, True), image),
            Example(cls((7, 4), True), image),
        ]


@dataclass(frozen=True)
class ResizeBilinear(Op):
    """Bilinear interpolation of a channels-last image, by TFLite's rules."""

    size: Pair = (1, 1)
    align_corners: bool = False
    half_pixel_centers: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """[N, *size, C]."""
        return _infer(inputs, self.size)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Interpolate rows, then columns."""
        low, high, weight = _linear(x.shape[1], self.size[0], self.align_corners, self.half_pixel_centers)
        weight = weight.to(x).reshape(1, -1, 1, 1)
        x = x[:, low.to(x.device)] * (1 - weight) + x[:, high.to(x.device)] * weight
        low, high, weight = _linear(x.shape[2], self.size[1], self.align_corners, self.half_pixel_centers)
        weight = weight.to(x).reshape(1, 1, -1, 1)
        return x[:, :, low.to(x.device)] * (1 - weight) + x[:, :, high.to(x.device)] * weight

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()

    def has_int16(self, inputs: Sequence[TensorType]) -> bool:
        """TensorFlow Lite Micro has none."""
        return False

    def lower(self, site: Site) -> Lowered:
        """A QResizeBilinear."""
        (_, h, w, channels), (out_h, out_w) = site.type(0).shape, self.size
        scales = bilinear_scale(h, out_h, self.align_corners), bilinear_scale(w, out_w, self.align_corners)
        op = site.form(QResizeBilinear)(h, w, channels, out_h, out_w, *scales, int(self.half_pixel_centers))
        return Lowered(op, (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """Twofold, and odd sizes."""
        image = (TensorType((1, 4, 5, 3)),)
        return [
            Example(cls((8, 10), False, True), image),
            Example(cls((7, 9)), image),
            Example(cls((7, 4), True), image),
        ]
