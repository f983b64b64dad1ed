"""Integer rescaling from one encoding to another, with a clamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.fixed_point import quantize_multiplier, requantize, wrap
from octavo.num.qparams import QParams, integer_limits
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, element_by_element
from octavo.ops.integer.rows import flat_rows

__all__ = ["QRequantize16", "QRequantize16To8", "QRequantize8To16", "requantize_parameters"]


def requantize_parameters(x: QParams, y: QParams) -> dict[str, int]:
    """Zero points, multiplier and shift of QUANTIZE from one integer encoding to another."""
    scales = [float(np.float32(q.scale[0])) for q in (x, y)]
    multiplier, shift = quantize_multiplier(scales[0] / scales[1])
    return {
        "input_zero_point": int(x.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "multiplier": multiplier,
        "shift": shift,
    }


@dataclass(frozen=True)
class QRequantize16(IntegerOp):
    """out = requantize(x - input_zero_point) + output_zero_point, clamped: QUANTIZE, RELU and every other clip."""

    size: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "requantize_s16"
    dtype: ClassVar[str] = "int16"
    out_dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), bytes_of(self.dtype), bytes_of(self.out_dtype))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The input's shape, of the output's dtype."""
        (x,) = inputs
        if x.dtype != self.dtype or x.size != self.size:
            raise ValueError(f"input {x} is not {self.size} of {self.dtype}")
        return (TensorType(x.shape, self.out_dtype),)

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact; what leaves 32 bits wraps."""
        scaled = requantize(x.to(torch.int64) - self.input_zero_point, self.multiplier, self.shift)
        y = wrap(scaled + self.output_zero_point).clamp(self.act_min, self.act_max)
        return y.to(getattr(torch, self.out_dtype))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Finer, coarser and clamped."""
        made = []
        for ratio in (0.7, 1.9, 0.01):
            step = {"int8": 256.0, "int16": 1.0}
            encodings = [
                QParams(
                    dtype,
                    np.array([scale * step[dtype] / 500], np.float32),
                    np.array([rng.integers(-128, 128) if dtype == "int8" else 0]),
                )
                for dtype, scale in ((cls.dtype, ratio), (cls.out_dtype, 1.0))
            ]
            low, high = integer_limits(cls.out_dtype)
            op = cls(210, **requantize_parameters(*encodings), act_min=low // 2, act_max=high)
            made.append(Example(op, (TensorType((1, 5, 6, 7), cls.dtype),)))
        return made


@dataclass(frozen=True)
class QRequantize8To16(QRequantize16):
    """From int8 to int16."""

    kernel: ClassVar[str] = "requantize_s8_s16"
    dtype: ClassVar[str] = "int8"


@dataclass(frozen=True)
class QRequantize16To8(QRequantize16):
    """From int16 to int8."""

    kernel: ClassVar[str] = "requantize_s16_s8"
    out_dtype: ClassVar[str] = "int8"
