"""Operators that move elements and compute nothing: reshape, transpose, slice, pad, concat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from octavo.errors import OctavoError
from octavo.ir.graph import TensorType
from octavo.ops.base import Constraint, Example, Lowered, Op, Share, Site
from octavo.ops.binary import five
from octavo.ops.half import HalfConcat, HalfPad, HalfSlice, HalfTranspose
from octavo.ops.half.rounding import half_bits
from octavo.ops.integer import (
    QConcat,
    QConcat16,
    QPad,
    QPad16,
    QReshape,
    QSlice,
    QSlice16,
    QTranspose,
    QTranspose16,
)

__all__ = ["Concat", "Pad", "Reshape", "Slice", "Transpose"]


def _element_strides(shape: Sequence[int]) -> list[int]:
    return [int(np.prod(shape[axis + 1 :], dtype=np.int64)) for axis in range(len(shape))]


def _five_strides(values: Sequence[int]) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = (0,) * (5 - len(values)) + tuple(values)
    return a, b, c, d, e


class _Move(Op):
    """The output has the input's encoding."""

    def constraint(self) -> Constraint:
        """The input's encoding."""
        return Share()


@dataclass(frozen=True)
class Reshape(_Move):
    """The same elements in another shape; axis 0 stays the batch."""

    shape: tuple[int, ...] = (1, -1)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The given shape."""
        (x,) = inputs
        if min(self.shape, default=0) < 1:
            raise ValueError(f"shape {self.shape} is not static")
        if TensorType(self.shape).size != x.size or self.shape[0] != x.shape[0]:
            raise ValueError(f"{x} does not reshape to {self.shape}, or the batch would mix with other axes")
        return (TensorType(self.shape, x.dtype),)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's reshape, the batch kept."""
        return x.reshape(x.shape[0], *self.shape[1:])

    def lower(self, site: Site) -> Lowered:
        """A QReshape, which costs nothing."""
        site.dtype()
        return Lowered(QReshape(shape=self.shape), (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """A flatten."""
        return [Example(cls((1, 60)), (TensorType((1, 4, 5, 3)),))]


@dataclass(frozen=True)
class Transpose(_Move):
    """Axes in another order; axis 0 stays."""

    perm: tuple[int, ...] = (0,)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The permuted shape."""
        (x,) = inputs
        if sorted(self.perm) != list(range(len(x.shape))) or self.perm[0] != 0:
            raise ValueError(f"{self.perm} is not a permutation of the axes of {x} that keeps the batch first")
        return (TensorType(tuple(x.shape[axis] for axis in self.perm), x.dtype),)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's permute."""
        return x.permute(self.perm)

    def lower(self, site: Site) -> Lowered:
        """A QTranspose."""
        steps = _element_strides(site.type(0).shape)
        moved = _five_strides([steps[axis] for axis in self.perm])
        form = site.form(QTranspose, QTranspose16, HalfTranspose)
        return Lowered(form(out_shape=five(site.out_type().shape), in_stride=moved), (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """To channels first, and a swap."""
        image = (TensorType((1, 4, 5, 3)),)
        return [Example(cls((0, 3, 1, 2)), image), Example(cls((0, 2, 1, 3)), image)]


@dataclass(frozen=True)
class Slice(_Move):
    """Elements begin, begin + stride, ... below end, along every axis; the batch is whole."""

    begin: tuple[int, ...] = ()
    end: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The sliced shape."""
        (x,) = inputs
        rank = len(x.shape)
        if not len(self.begin) == len(self.end) == len(self.stride) == rank:
            raise ValueError(f"begin, end and stride must have the rank of {x}")
        for b, e, s, d in zip(self.begin, self.end, self.stride, x.shape, strict=True):
            if not 0 <= b < e <= d or s < 1:
                raise ValueError(f"slice {self.begin} to {self.end} by {self.stride} is outside {x}")
        if self.begin[0] != 0 or self.end[0] != x.shape[0] or self.stride[0] != 1:
            raise ValueError("the batch axis cannot be sliced")
        shape = [-(-(e - b) // s) for b, e, s in zip(self.begin, self.end, self.stride, strict=True)]
        return (TensorType(tuple(shape), x.dtype),)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Basic indexing, the batch whole."""
        parts = [slice(b, e, s) for b, e, s in zip(self.begin, self.end, self.stride, strict=True)]
        return x[(slice(None), *parts[1:])]

    def lower(self, site: Site) -> Lowered:
        """A QSlice."""
        steps = _element_strides(site.type(0).shape)
        moved = _five_strides([step * s for step, s in zip(steps, self.stride, strict=True)])
        offset = sum(b * step for b, step in zip(self.begin, steps, strict=True))
        form = site.form(QSlice, QSlice16, HalfSlice)
        return Lowered(form(out_shape=five(site.out_type().shape), in_stride=moved, offset=offset), (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """A crop with a stride."""
        return [Example(cls((0, 1, 0, 1), (1, 4, 5, 3), (1, 1, 2, 1)), (TensorType((1, 4, 5, 3)),))]


@dataclass(frozen=True)
class Pad(_Move):
    """A constant border; none on the batch."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    value: float = 0.0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The padded shape."""
        (x,) = inputs
        if not len(self.before) == len(self.after) == len(x.shape) or min((*self.before, *self.after)) < 0:
            raise ValueError(f"padding {self.before}, {self.after} does not match {x}")
        if self.before[0] or self.after[0]:
            raise ValueError("the batch axis cannot be padded")
        shape = tuple(b + d + a for b, d, a in zip(self.before, x.shape, self.after, strict=True))
        return (TensorType(shape, x.dtype),)

    def eval_float(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's constant pad."""
        pairs = [side for axis in reversed(range(len(self.before))) for side in (self.before[axis], self.after[axis])]
        return F.pad(x, pairs, value=self.value)

    def lower(self, site: Site) -> Lowered:
        """A QPad with the border's integer, or the bits of a float16."""
        shape = site.type(0).shape
        a, b, c, d, e = (0,) * (5 - len(shape)) + self.before
        half = site.dtype() == "float16"
        value = half_bits(self.value) if half else int(site.y().quantize(np.array([self.value]))[0])
        op = site.form(QPad, QPad16, HalfPad)(
            in_shape=five(shape), out_shape=five(site.out_type().shape), before=(a, b, c, d, e), value=value
        )
        return Lowered(op, (0,))

    @classmethod
    def examples(cls) -> list[Example]:
        """An asymmetric border."""
        return [Example(cls((0, 1, 2, 0), (0, 0, 1, 1)), (TensorType((1, 4, 5, 3)),))]


@dataclass(frozen=True)
class Concat(Op):
    """Inputs one after the other along ``axis`` (never the batch)."""

    axis: int = -1

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The joined shape."""
        first = inputs[0]
        if not 1 <= self.axis < len(first.shape):
            raise ValueError(f"axis {self.axis} of {first} is the batch or out of range")
        for other in inputs[1:]:
            same = [d for axis, d in enumerate(other.shape) if axis != self.axis]
            if same != [d for axis, d in enumerate(first.shape) if axis != self.axis] or other.dtype != first.dtype:
                raise ValueError(f"{first} and {other} differ beside axis {self.axis}")
        shape = list(first.shape)
        shape[self.axis] = sum(other.shape[self.axis] for other in inputs)
        return (TensorType(tuple(shape), first.dtype),)

    def eval_float(self, *inputs: torch.Tensor) -> torch.Tensor:
        """torch's cat; constants are repeated over the batch."""
        batch = max(x.shape[0] for x in inputs)
        return torch.cat([x.expand(batch, *x.shape[1:]) for x in inputs], dim=self.axis)

    def constraint(self) -> Constraint:
        """All inputs and the output share one encoding (-1 stands for all)."""
        return Share((-1,))

    def lower(self, site: Site) -> Lowered:
        """A QConcat."""
        count = len(site.node.inputs)
        if any(site.graph.is_const(name) for name in site.node.inputs):
            raise OctavoError(
                site.node.source or site.node.name,
                "concatenates a constant, which has no integer kernel",
                "Join constants before export, or feed them as an input.",
            )
        inner = int(np.prod(site.out_type().shape[self.axis + 1 :], dtype=np.int64))
        sizes = np.array([site.type(i).shape[self.axis] * inner for i in range(count)], dtype=np.int32)
        outer = int(np.prod(site.out_type().shape[: self.axis], dtype=np.int64))
        shape = five(site.out_type().shape)
        op = site.form(QConcat, QConcat16, HalfConcat)(
            outer=outer, count=count, out_stride=int(sizes.sum()), out_shape=shape
        )
        return Lowered(op, tuple(range(count)), {"sizes": sizes})

    @classmethod
    def examples(cls) -> list[Example]:
        """Along channels and along height."""
        return [
            Example(cls(3), (TensorType((1, 2, 3, 4)), TensorType((1, 2, 3, 1)), TensorType((1, 2, 3, 2)))),
            Example(cls(1), (TensorType((1, 2, 3, 4)), TensorType((1, 5, 3, 4)))),
        ]
