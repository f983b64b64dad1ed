"""Integer operators that move elements and compute nothing."""

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
from octavo.ops.integer.access import bytes_of, element_by_element, strided

__all__ = [
    "QConcat",
    "QConcat16",
    "QJoin",
    "QPad",
    "QPad16",
    "QPart",
    "QReshape",
    "QSlice",
    "QSlice16",
    "QTranspose",
    "QTranspose16",
]

Five = tuple[int, int, int, int, int]


def _same_size(x: TensorType, shape: Five, rank: int) -> TensorType:
    """The output's type: ``shape`` without the ones in front of the input's rank."""
    return TensorType(shape[5 - rank :], x.dtype)


@dataclass(frozen=True)
class QReshape(IntegerOp):
    """The same bytes in another shape, of any dtype: no code at all."""

    shape: tuple[int, ...]

    kernel: ClassVar[str] = "reshape_s8"
    alias: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The given shape."""
        (x,) = inputs
        if TensorType(self.shape).size != x.size:
            raise ValueError(f"{x} does not reshape to {self.shape}")
        return (TensorType(self.shape, x.dtype),)

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return x.reshape(x.shape[0], *self.shape[1:])


@dataclass(frozen=True)
class QJoin(IntegerOp):
    """Inputs one after the other, of any dtype: each is a part of the output's bytes, and no code."""

    shape: tuple[int, ...]

    kernel: ClassVar[str] = "join_s8"
    alias: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The given shape, of the inputs' dtype."""
        whole = TensorType(self.shape, inputs[0].dtype)
        if any(part.dtype != whole.dtype for part in inputs) or sum(part.size for part in inputs) != whole.size:
            raise ValueError(f"the inputs do not add up to {whole}")
        return (whole,)

    def eval_int(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Exact."""
        flat = torch.cat([part.reshape(part.shape[0], -1) for part in inputs], dim=1)
        return flat.reshape(flat.shape[0], *self.shape[1:])


@dataclass(frozen=True)
class QPart(IntegerOp):
    """Elements of the input from ``offset`` on, of any dtype: a part of its bytes, and no code."""

    shape: tuple[int, ...]
    offset: int

    kernel: ClassVar[str] = "part_s8"
    alias: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The given shape, of the input's dtype."""
        (x,) = inputs
        part = TensorType(self.shape, x.dtype)
        if not 0 <= self.offset <= x.size - part.size:
            raise ValueError(f"{part} from {self.offset} on is outside {x}")
        return (part,)

    def alias_start(self) -> int:
        """The first element."""
        return self.offset

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        size = TensorType(self.shape).size
        return x.reshape(x.shape[0], -1)[:, self.offset : self.offset + size].reshape(x.shape[0], *self.shape[1:])


@dataclass(frozen=True)
class QTranspose(IntegerOp):
    """Reads the input with the element strides ``in_stride`` over the axes of ``out_shape``."""

    out_shape: Five
    in_stride: Five

    kernel: ClassVar[str] = "transpose_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """``out_shape`` of the operator's dtype."""
        (x,) = inputs
        if TensorType(self.out_shape).size != x.size or x.dtype != self.dtype:
            raise ValueError(f"{x} does not transpose to {self.out_shape}")
        return (_same_size(x, self.out_shape, len(x.shape)),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        size = bytes_of(self.dtype)
        return {0: element_by_element(strided(self.out_shape, self.in_stride), size, size)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return _strided(x, self.out_shape, self.in_stride, 0)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """To channels first, and of rank 5."""
        return [
            Example(cls((1, 1, 3, 4, 5), (0, 60, 1, 15, 3)), (TensorType((1, 4, 5, 3), cls.dtype),)),
            Example(cls((1, 5, 2, 3, 4), (120, 1, 60, 20, 5)), (TensorType((1, 2, 3, 4, 5), cls.dtype),)),
        ]


def _strided(x: torch.Tensor, shape: Five, stride: Five, offset: int) -> torch.Tensor:
    """``shape`` read with element strides from each sample; axis 0 of ``shape`` is 1, or the batch at rank 5."""
    rank = x.ndim
    flat = x.reshape(x.shape[0], -1)
    index = torch.full((1,), offset, dtype=torch.int64)
    for size, step in zip(shape[1:], stride[1:], strict=True):
        index = (index[:, None] + torch.arange(size)[None, :] * step).reshape(-1)
    return flat[:, index].reshape(x.shape[0], *shape[5 - rank + 1 :])


@dataclass(frozen=True)
class QSlice(IntegerOp):
    """As QTranspose, from ``offset`` on."""

    out_shape: Five
    in_stride: Five
    offset: int

    kernel: ClassVar[str] = "slice_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """``out_shape`` of the operator's dtype."""
        (x,) = inputs
        last = self.offset + sum((d - 1) * s for d, s in zip(self.out_shape, self.in_stride, strict=True))
        if x.dtype != self.dtype or not 0 <= self.offset <= last < x.size:
            raise ValueError(f"slice {self.out_shape} from {self.offset} is outside {x}")
        return (_same_size(x, self.out_shape, len(x.shape)),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        size = bytes_of(self.dtype)
        return {0: element_by_element(strided(self.out_shape, self.in_stride, self.offset), size, size)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return _strided(x, self.out_shape, self.in_stride, self.offset)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """A crop with a stride."""
        return [Example(cls((1, 1, 3, 2, 2), (0, 60, 15, 6, 1), 16), (TensorType((1, 4, 5, 3), cls.dtype),))]


@dataclass(frozen=True)
class QPad(IntegerOp):
    """A border of ``value``; shapes are padded on the left with ones to rank 5."""

    in_shape: Five
    out_shape: Five
    before: Five
    value: int

    kernel: ClassVar[str] = "pad_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """``out_shape`` of the operator's dtype."""
        (x,) = inputs
        fits = all(b + i <= o for b, i, o in zip(self.before, self.in_shape, self.out_shape, strict=True))
        if TensorType(self.in_shape).size != x.size or x.dtype != self.dtype or not fits:
            raise ValueError(f"{x} does not pad to {self.out_shape}")
        return (_same_size(x, self.out_shape, len(x.shape)),)

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        pairs: list[int] = []
        for axis in reversed(range(5 - x.ndim + 1, 5)):
            after = self.out_shape[axis] - self.in_shape[axis] - self.before[axis]
            pairs += [self.before[axis], after]
        return F.pad(x, pairs, value=self.value)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """An asymmetric border."""
        op = cls((1, 1, 4, 5, 3), (1, 1, 6, 8, 4), (0, 0, 1, 2, 0), -7)
        return [Example(op, (TensorType((1, 4, 5, 3), cls.dtype),))]


@dataclass(frozen=True)
class QConcat(IntegerOp):
    """Activations joined along an axis: ``outer`` times, sizes[i] elements of each; sizes is int32 [count], last."""

    outer: int
    count: int
    out_stride: int
    out_shape: Five

    kernel: ClassVar[str] = "concat_s8"
    variadic: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """``out_shape`` of the operator's dtype."""
        *parts, sizes = inputs
        if len(parts) != self.count or sizes != TensorType((self.count,), "int32"):
            raise ValueError(f"{len(parts)} inputs with sizes {sizes} instead of {self.count}")
        if sum(p.size for p in parts) != self.outer * self.out_stride or any(p.dtype != self.dtype for p in parts):
            raise ValueError("the inputs do not add up to the output, or are not of its dtype")
        return (_same_size(parts[0], self.out_shape, len(parts[0].shape)),)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Input after input is copied."""
        sizes, size = consts[-1].astype(np.int64), bytes_of(self.dtype)
        ends = np.cumsum(sizes)[:, None] + self.out_stride * np.arange(self.outer)
        writes = (size * (ends - sizes[:, None]), size * ends)
        found = {}
        for index, length in enumerate(sizes):
            starts = length * np.arange(self.outer)
            first, end = np.zeros_like(ends), np.zeros_like(ends)
            first[index], end[index] = size * starts, size * (starts + length)
            # A copy must not overlap what it copies.
            found[index] = distance((first, end), writes, reads_first=False)
        return found

    def eval_int(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Exact."""
        *parts, _ = inputs
        flat = [part.reshape(part.shape[0], self.outer, -1) for part in parts]
        joined = torch.cat(flat, dim=2)
        return joined.reshape(parts[0].shape[0], *self.out_shape[5 - parts[0].ndim + 1 :])

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Along channels, along height."""
        channels = tuple(TensorType((1, 4, 5, c), cls.dtype) for c in (3, 1, 6))
        rows = tuple(TensorType((1, h, 5, 3), cls.dtype) for h in (2, 7))
        sizes = TensorType((3,), "int32"), TensorType((2,), "int32")
        return [
            Example(cls(20, 3, 10, (1, 1, 4, 5, 10)), (*channels, sizes[0]), {3: np.array([3, 1, 6], np.int32)}),
            Example(cls(1, 2, 135, (1, 1, 9, 5, 3)), (*rows, sizes[1]), {2: np.array([30, 105], np.int32)}),
        ]


@dataclass(frozen=True)
class QTranspose16(QTranspose):
    """QTranspose of int16."""

    kernel: ClassVar[str] = "transpose_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QSlice16(QSlice):
    """QSlice of int16."""

    kernel: ClassVar[str] = "slice_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QPad16(QPad):
    """QPad of int16."""

    kernel: ClassVar[str] = "pad_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QConcat16(QConcat):
    """QConcat of int16."""

    kernel: ClassVar[str] = "concat_s16"
    dtype: ClassVar[str] = "int16"
