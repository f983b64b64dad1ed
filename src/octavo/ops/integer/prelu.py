"""Integer leaky ReLU with a slope per channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.fixed_point import quantize_multiplier, requantize
from octavo.num.qparams import QParams
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, element_by_element
from octavo.ops.integer.rows import flat_rows

__all__ = ["QPrelu", "QPrelu16", "prelu_parameters"]


def prelu_parameters(x: QParams, alpha: QParams, y: QParams) -> dict[str, int]:
    """Zero points and two (multiplier, shift) pairs of PRELU."""
    sx, sa, sy = (float(np.float32(q.scale[0])) for q in (x, alpha, y))
    (m1, e1), (m2, e2) = quantize_multiplier(sx / sy), quantize_multiplier(sx * sa / sy)
    return {
        "input_zero_point": int(x.zero_point[0]),
        "alpha_zero_point": int(alpha.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "output_multiplier1": m1,
        "output_shift1": e1,
        "output_multiplier2": m2,
        "output_shift2": e2,
    }


@dataclass(frozen=True)
class QPrelu(IntegerOp):
    """x [..., C] and alpha int8 [C] or [1]: x above the zero point is rescaled, below it is multiplied by alpha."""

    size: int
    channels: int
    input_zero_point: int
    alpha_zero_point: int
    output_zero_point: int
    output_multiplier1: int
    output_shift1: int
    output_multiplier2: int
    output_shift2: int

    kernel: ClassVar[str] = "prelu_s8"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), bytes_of(self.dtype), bytes_of(self.dtype))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        x, alpha = inputs
        if x.dtype != self.dtype or x.size != self.size or alpha != TensorType((self.channels,), "int8"):
            raise ValueError(f"input {x} or alpha {alpha} does not match")
        return (x,)

    def eval_int(self, x: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        centred = x.long() - self.input_zero_point
        slope = alpha.long() - self.alpha_zero_point
        above = requantize(centred, self.output_multiplier1, self.output_shift1)
        below = requantize(centred * slope, self.output_multiplier2, self.output_shift2)
        y = torch.where(centred >= 0, above, below) + self.output_zero_point
        return self.clamped(y)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """A slope per channel, and one for all."""
        made = []
        for channels in (7, 1):
            x, a, y = (
                QParams(dtype, np.array([s], np.float32), np.array([rng.integers(-128, 128) if dtype == "int8" else 0]))
                for dtype, s in ((cls.dtype, 0.1), ("int8", 0.01), (cls.dtype, 0.08))
            )
            alpha = rng.integers(-128, 128, channels).astype(np.int8)
            op = cls(size=140, channels=channels, **prelu_parameters(x, a, y))
            types = TensorType((1, 4, 5, 7), cls.dtype), TensorType((channels,), "int8")
            made.append(Example(op, types, {1: alpha}))
        return made


@dataclass(frozen=True)
class QPrelu16(QPrelu):
    """QPrelu of int16; alpha is int8."""

    kernel: ClassVar[str] = "prelu_s16"
    dtype: ClassVar[str] = "int16"
