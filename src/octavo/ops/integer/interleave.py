"""Outputs of several layers as the channels of one: each writes its pixels where they belong, and nothing is copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance, distance
from octavo.ops.base import Example, IntegerOp, Placeable
from octavo.ops.integer.access import bytes_of

__all__ = ["QInterleave", "QPlace", "QPlace16"]


@dataclass(frozen=True)
class QInterleave(IntegerOp):
    """Inputs of any dtype whose pixels are channels of the output's pixels, by ``Placeable`` operators: no code."""

    shape: tuple[int, ...]

    kernel: ClassVar[str] = "interleave_s8"
    alias: ClassVar[bool] = True

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The given shape, of the inputs' dtype."""
        whole = TensorType(self.shape, inputs[0].dtype)
        channels = sum(part.shape[-1] for part in inputs)
        alike = all(part.dtype == whole.dtype and part.shape[:-1] == self.shape[:-1] for part in inputs)
        if not alike or channels != self.shape[-1]:
            raise ValueError(f"the channels of the inputs are not those of {whole}")
        return (whole,)

    def alias_starts(self, parts: Sequence[TensorType]) -> list[int]:
        """The first pixel's channels."""
        return list(accumulate((part.shape[-1] for part in parts[:-1]), initial=0))

    def eval_int(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Exact."""
        return torch.cat(inputs, dim=-1)


@dataclass(frozen=True)
class QPlace(Placeable):
    """Copies ``pixels`` of ``channels`` elements to places ``out_stride`` elements apart."""

    pixels: int
    channels: int
    out_stride: int

    kernel: ClassVar[str] = "place_s8"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The input's type."""
        (x,) = inputs
        if x.size != self.pixels * self.channels or x.dtype != self.dtype or self.out_stride < self.channels:
            raise ValueError(f"{x} is not {self.pixels} pixels of {self.channels} channels, {self.out_stride} apart")
        return (x,)

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Pixel after pixel is copied; a copy must not overlap what it copies."""
        size, pixel = bytes_of(self.dtype), np.arange(self.pixels, dtype=np.int64)
        reads, writes = size * self.channels * pixel, size * self.out_stride * pixel
        length = size * self.channels
        return {0: distance((reads, reads + length), (writes, writes + length), reads_first=False)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        return x.clone()

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Side by side."""
        return [Example(cls(12, 5, 5), (TensorType((1, 4, 3, 5), cls.dtype),))]


@dataclass(frozen=True)
class QPlace16(QPlace):
    """QPlace of int16."""

    kernel: ClassVar[str] = "place_s16"
    dtype: ClassVar[str] = "int16"
