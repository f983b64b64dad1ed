"""Integer leaky ReLU of int16; int8 has a table."""

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

__all__ = ["QLeakyRelu16", "leaky_relu_parameters"]


def leaky_relu_parameters(x: QParams, y: QParams, alpha: float) -> dict[str, int]:
    """Two (multiplier, shift) pairs of LEAKY_RELU, the second of alpha's magnitude, and whether alpha is negative."""
    scale_x, scale_y = (float(np.float32(q.scale[0])) for q in (x, y))
    slope = scale_x * float(np.float32(alpha)) / scale_y
    (m1, e1), (m2, e2) = quantize_multiplier(scale_x / scale_y), quantize_multiplier(abs(slope))
    return {"multiplier1": m1, "shift1": e1, "multiplier2": m2, "shift2": e2, "negative": int(slope < 0)}


@dataclass(frozen=True)
class QLeakyRelu16(IntegerOp):
    """x >= 0: requantize by the first pair; x < 0: by the second, the sign turned when ``negative`` is 1."""

    size: int
    multiplier1: int
    shift1: int
    multiplier2: int
    shift2: int
    negative: int

    kernel: ClassVar[str] = "leaky_relu_s16"
    dtype: ClassVar[str] = "int16"

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element is read before it is written."""
        return {0: element_by_element(np.arange(self.size), bytes_of(self.dtype), bytes_of(self.dtype))}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Element by element."""
        return flat_rows(self, rows, height)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same type as x."""
        (x,) = inputs
        if x.dtype != self.dtype or x.size != self.size:
            raise ValueError(f"input {x} is not {self.size} of {self.dtype}")
        return (x,)

    def eval_int(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        q = x.long()
        above = requantize(q, self.multiplier1, self.shift1)
        below = requantize(q, self.multiplier2, self.shift2) * (-1 if self.negative else 1)
        return self.clamped(torch.where(q >= 0, above, below))

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Slopes of both signs, and one above 1."""
        made = []
        for alpha in (0.1, -0.3, 1.5):
            x, y = (QParams("int16", np.array([s], np.float32), np.array([0])) for s in (1e-4, 1.3e-4))
            op = cls(size=210, **leaky_relu_parameters(x, y, alpha))
            made.append(Example(op, (TensorType((1, 5, 6, 7), "int16"),)))
        return made
