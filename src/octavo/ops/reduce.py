"""Means and sums over axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from octavo.errors import OctavoError
from octavo.ir.graph import TensorType
from octavo.ops.base import Example, Lowered, Op, Site
from octavo.ops.half import HalfMean
from octavo.ops.integer import QMean, QMean16, mean_parameters

__all__ = ["Mean", "Sum"]


_LARGEST_MEAN16 = 65535


def _reduced(x: TensorType, axes: tuple[int, ...], keepdims: bool) -> tuple[TensorType, ...]:
    rank = len(x.shape)
    if not axes or len(set(axes)) != len(axes) or min(axes) < 1 or max(axes) >= rank:
        raise ValueError(f"axes {axes} of {x}: must be distinct, in range and without the batch")
    if keepdims:
        return (TensorType(tuple(1 if axis in axes else d for axis, d in enumerate(x.shape)), x.dtype),)
    return (TensorType(tuple(d for axis, d in enumerate(x.shape) if axis not in axes), x.dtype),)


@dataclass(frozen=True)
class Mean(Op):
    """Mean over ``axes`` (never the batch)."""

    axes: tuple[int, ...] = (1, 2)
    keepdims: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The input's shape without the axes, or with ones there."""
        (x,) = inputs
        return _reduced(x, self.axes, self.keepdims)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's mean."""
        return torch.mean(x, dim=self.axes, keepdim=self.keepdims)

    def has_int16(self, inputs: Sequence[TensorType]) -> bool:
        """While the sum stays in 32 bits."""
        return int(np.prod([inputs[0].shape[axis] for axis in self.axes], dtype=np.int64)) <= _LARGEST_MEAN16

    def lower(self, site: Site) -> Lowered:
        """A QMean over neighbouring axes."""
        shape = site.type(0).shape
        wide = [axis for axis in self.axes if shape[axis] > 1] or [self.axes[0]]
        first, last = min(wide), max(wide)
        if any(shape[axis] > 1 and axis not in wide for axis in range(first, last + 1)):
            raise OctavoError(
                site.node.source or site.node.name,
                f"a mean over the axes {list(self.axes)}, which are not neighbours, has no integer kernel",
                "Split it into one mean after the other.",
            )
        outer = int(np.prod(shape[:first], dtype=np.int64))
        reduced = int(np.prod(shape[first : last + 1], dtype=np.int64))
        inner = int(np.prod(shape[last + 1 :], dtype=np.int64))
        out = site.out_type().shape
        a, b, c, d, e = (0,) * (5 - len(out)) + out
        if site.dtype() == "float16":
            return Lowered(HalfMean(outer, reduced, inner, (a, b, c, d, e)), (0,))
        if site.dtype() == "int16" and reduced > _LARGEST_MEAN16:
            raise OctavoError(
                site.node.source or site.node.name,
                f"a mean of {reduced:,} int16 elements leaves 32 bits",
                "Keep this layer int8, or split the mean.",
            )
        fields = mean_parameters(site.x(), site.y(), reduced)
        op = site.form(QMean, QMean16)(outer=outer, reduced=reduced, inner=inner, out_shape=(a, b, c, d, e), **fields)
        return Lowered(op, (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """Over the image, kept or not, and over the channels."""
        image = (TensorType((1, 4, 5, 3)),)
        return [Example(cls(), image), Example(cls(keepdims=True), image), Example(cls(axes=(3,)), image)]


@dataclass(frozen=True)
class Sum(Op):
    """Sum over ``axes`` (never the batch); the passes turn it into a scaled mean."""

    axes: tuple[int, ...] = (1, 2)
    keepdims: bool = False

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The input's shape without the axes, or with ones there."""
        (x,) = inputs
        return _reduced(x, self.axes, self.keepdims)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's sum."""
        return torch.sum(x, dim=self.axes, keepdim=self.keepdims)
