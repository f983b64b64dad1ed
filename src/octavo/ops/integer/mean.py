"""Integer mean over neighbouring axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.fixed_point import quantize_multiplier, requantize, wrap
from octavo.num.qparams import QParams
from octavo.ops.base import Example, IntegerOp
from octavo.ops.integer.access import bytes_of, in_chunks, strided

__all__ = ["QMean", "QMean16", "mean_parameters"]


def mean_parameters(x: QParams, y: QParams, count: int) -> dict[str, int]:
    """Zero points, and the multiplier and shift that carry 1 / count as TFLM folds it in.

    The multiplier of s_x / s_y is shifted up by as many bits as count has (bounded so that the shift stays in int32)
    and divided by count, truncating.
    """
    multiplier, shift = quantize_multiplier(float(np.float32(x.scale[0])) / float(np.float32(y.scale[0])))
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    return {
        "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "multiplier": (multiplier << bits) // count,
        "shift": shift - bits,
    }


@dataclass(frozen=True)
class QMean(IntegerOp):
    """out[o, i] = mean over r of x[o, r, i], requantized; ``outer`` counts one sample's."""

    outer: int
    reduced: int
    inner: int
    out_shape: tuple[int, int, int, int, int]
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int

    kernel: ClassVar[str] = "mean_s8"

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
        size = bytes_of(self.dtype)
        return {0: in_chunks((first, first + (self.reduced - 1) * self.inner + 1), 1, size, size)}

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact; a sum that leaves 32 bits wraps."""
        shape = [d for d in self.out_shape if d]
        total = x.reshape(x.shape[0], self.outer, self.reduced, self.inner).long().sum(dim=2)
        centred = total - self.input_zero_point * self.reduced
        y = requantize(wrap(centred), self.multiplier, self.shift) + self.output_zero_point
        return self.clamped(y).reshape(x.shape[0], *shape[1:])

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Over an image, over channels, over one axis."""
        made = []
        for outer, reduced, inner in ((1, 30, 7), (12, 5, 1), (3, 4, 6), (1, 1, 9)):
            zeros = rng.integers(-128, 128, 2) if cls.dtype == "int8" else (0, 0)
            x, y = (
                QParams(cls.dtype, np.array([s], np.float32), np.array([zero]))
                for s, zero in ((0.1, zeros[0]), (0.07, zeros[1]))
            )
            shape = (1, outer, inner)
            op = cls(outer, reduced, inner, (0, 0, *shape), **mean_parameters(x, y, reduced))
            made.append(Example(op, (TensorType((1, outer * reduced * inner), cls.dtype),)))
        return made


@dataclass(frozen=True)
class QMean16(QMean):
    """QMean of int16."""

    kernel: ClassVar[str] = "mean_s16"
    dtype: ClassVar[str] = "int16"
