"""Integer operators of two tensors, element by element, with broadcasting by strides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from octavo.ir.graph import Array, TensorType
from octavo.memory import Distance
from octavo.num.fixed_point import quantize_multiplier, requantize
from octavo.num.qparams import QParams
from octavo.ops.base import Example, IntegerOp, RowForm
from octavo.ops.integer.access import bytes_of, element_by_element, strided

__all__ = [
    "Elementwise",
    "Five",
    "QAdd",
    "QAdd16",
    "QMaximum",
    "QMaximum16",
    "QMinimum",
    "QMinimum16",
    "QMul",
    "QMul16",
    "QSub",
    "QSub16",
    "add_parameters",
    "mul_parameters",
    "random_geometry",
    "sub_parameters",
]

Five = tuple[int, int, int, int, int]
LEFT_SHIFT = {"int8": 20, "int16": 15}
"""Extra bits of the sum's operands, by dtype: 32 bits in all."""


def add_parameters(a: QParams, b: QParams, y: QParams) -> dict[str, Any]:
    """Zero points, left shift and three (multiplier, shift) pairs of ADD, in float64 as TFLM computes them."""
    sa, sb, sy = (float(np.float32(q.scale[0])) for q in (a, b, y))
    twice = 2 * max(sa, sb)
    return _fields(a, b, y, sa / twice, sb / twice, twice / ((1 << LEFT_SHIFT[y.dtype]) * sy))


def sub_parameters(a: QParams, b: QParams, y: QParams) -> dict[str, Any]:
    """The same of SUB."""
    return add_parameters(a, b, y)


def _fields(a: QParams, b: QParams, y: QParams, ra: float, rb: float, ry: float) -> dict[str, Any]:
    (m1, e1), (m2, e2), (mo, eo) = quantize_multiplier(ra), quantize_multiplier(rb), quantize_multiplier(ry)
    return {
        "input1_zero_point": int(a.zero_point[0]),
        "input2_zero_point": int(b.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "left_shift": LEFT_SHIFT[y.dtype],
        "input1_multiplier": m1,
        "input1_shift": e1,
        "input2_multiplier": m2,
        "input2_shift": e2,
        "output_multiplier": mo,
        "output_shift": eo,
    }


def mul_parameters(a: QParams, b: QParams, y: QParams) -> dict[str, Any]:
    """Zero points, multiplier and shift of MUL."""
    sa, sb, sy = (float(np.float32(q.scale[0])) for q in (a, b, y))
    multiplier, shift = quantize_multiplier(sa * sb / sy)
    return {
        "input1_zero_point": int(a.zero_point[0]),
        "input2_zero_point": int(b.zero_point[0]),
        "output_zero_point": int(y.zero_point[0]),
        "output_multiplier": multiplier,
        "output_shift": shift,
    }


class Elementwise(IntegerOp):
    """Broadcasting and shapes; the fields begin with shape, stride1, stride2."""

    shape: Five
    stride1: Five
    stride2: Five

    def overlaps(self, *consts: Array) -> Mapping[int, Distance]:
        """Each element of both inputs is read before the output is written; a broadcast one is read again."""
        size = bytes_of(self.dtype)
        reads = (strided(self.shape, strides) for strides in (self.stride1, self.stride2))
        return {index: element_by_element(read, size, size) for index, read in enumerate(reads)}

    def by_rows(self, rows: int, height: int) -> RowForm | None:
        """Images of one shape, not broadcast ones."""
        dense = _steps(self.shape[1:], self.shape[1:])
        if self.shape[:2] != (1, 1) or {self.stride1, self.stride2} != {dense}:
            return None
        part: Any = self
        shape = (1, 1, rows, *self.shape[3:])
        steps = _steps(shape[1:], shape[1:])
        return RowForm(replace(part, shape=shape, stride1=steps, stride2=steps))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The broadcast shape, of the operator's dtype."""
        a, b = inputs
        if a.dtype != self.dtype or b.dtype != self.dtype or len(a.shape) != len(b.shape):
            raise ValueError(f"{a} and {b} must be {self.dtype} of one rank")
        shape = tuple(int(d) for d in np.broadcast_shapes(a.shape, b.shape))
        if (1,) * (5 - len(shape)) + shape != self.shape:
            raise ValueError(f"{a} and {b} do not broadcast to {self.shape}")
        return (TensorType(shape, self.dtype),)


def random_geometry(
    rng: np.random.Generator, kind: int, dtype: str
) -> tuple[tuple[TensorType, TensorType], tuple[Five, Five, Five]]:
    """Types, and shape and strides. By ``kind``: same shapes; the second broadcast per channel; the first per image."""
    h, w, c = (int(v) for v in rng.integers(1, 9, 3))
    shapes = [((1, h, w, c),) * 2, ((1, h, w, c), (1, 1, 1, c)), ((1, 1, 1, c), (1, h, w, c))][kind]
    steps = [_steps(shape, (1, h, w, c)) for shape in shapes]
    types = TensorType(shapes[0], dtype), TensorType(shapes[1], dtype)
    return types, ((1, 1, h, w, c), steps[0], steps[1])


def _steps(shape: tuple[int, ...], out: tuple[int, ...]) -> Five:
    steps, step = [], 1
    for size, wanted in zip(reversed((1, *shape)), reversed((1, *out)), strict=True):
        steps.append(0 if size == 1 and wanted != 1 else step)
        step *= size
    a, b, c, d, e = reversed(steps)
    return a, b, c, d, e


def _random_encoding(rng: np.random.Generator, dtype: str) -> QParams:
    scale = np.array([rng.uniform(0.01, 0.2)], np.float32)
    if dtype == "int16":
        return QParams("int16", scale / np.float32(256), np.array([0]))
    return QParams("int8", scale, np.array([rng.integers(-128, 128)]))


_LIMITS = {"int8": (-100, 120), "int16": (-30000, 32000)}


def _examples(cls: type[Any], parameters: object, rng: np.random.Generator) -> list[Example]:
    made = []
    for kind in range(3):
        types, geometry = random_geometry(rng, kind, cls.dtype)
        fields = parameters(*(_random_encoding(rng, cls.dtype) for _ in range(3))) if callable(parameters) else {}
        limits = dict(zip(("act_min", "act_max"), _LIMITS[cls.dtype], strict=True)) if callable(parameters) else {}
        made.append(Example(cls(*geometry, **fields, **limits), types))
    return made


@dataclass(frozen=True)
class _Sum(Elementwise):
    shape: Five
    stride1: Five
    stride2: Five
    input1_zero_point: int
    input2_zero_point: int
    output_zero_point: int
    left_shift: int
    input1_multiplier: int
    input1_shift: int
    input2_multiplier: int
    input2_shift: int
    output_multiplier: int
    output_shift: int
    act_min: int
    act_max: int

    def _scaled(self, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = (a.to(torch.int64) - self.input1_zero_point) << self.left_shift
        second = (b.to(torch.int64) - self.input2_zero_point) << self.left_shift
        return (
            requantize(first, self.input1_multiplier, self.input1_shift),
            requantize(second, self.input2_multiplier, self.input2_shift),
        )

    def _output(self, total: torch.Tensor) -> torch.Tensor:
        y = requantize(total, self.output_multiplier, self.output_shift) + self.output_zero_point
        return self.clamped(y, self.act_min, self.act_max)


@dataclass(frozen=True)
class QAdd(_Sum):
    """a + b: both rescaled to twice the larger scale with 20 extra bits, added, rescaled to the output."""

    kernel: ClassVar[str] = "add_s8"

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        first, second = self._scaled(a, b)
        return self._output(first + second)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, add_parameters, rng)


@dataclass(frozen=True)
class QSub(_Sum):
    """a - b, as QAdd."""

    kernel: ClassVar[str] = "sub_s8"

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        first, second = self._scaled(a, b)
        return self._output(first - second)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, sub_parameters, rng)


@dataclass(frozen=True)
class QMul(Elementwise):
    """a * b."""

    shape: Five
    stride1: Five
    stride2: Five
    input1_zero_point: int
    input2_zero_point: int
    output_zero_point: int
    output_multiplier: int
    output_shift: int
    act_min: int
    act_max: int

    kernel: ClassVar[str] = "mul_s8"

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Exact."""
        product = (a.to(torch.int64) - self.input1_zero_point) * (b.to(torch.int64) - self.input2_zero_point)
        y = requantize(product, self.output_multiplier, self.output_shift) + self.output_zero_point
        return self.clamped(y, self.act_min, self.act_max)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, mul_parameters, rng)


@dataclass(frozen=True)
class QMaximum(Elementwise):
    """max(a, b) of one encoding."""

    shape: Five
    stride1: Five
    stride2: Five

    kernel: ClassVar[str] = "maximum_s8"

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's maximum."""
        return torch.maximum(a, b)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, None, rng)


@dataclass(frozen=True)
class QMinimum(Elementwise):
    """min(a, b) of one encoding."""

    shape: Five
    stride1: Five
    stride2: Five

    kernel: ClassVar[str] = "minimum_s8"

    def eval_int(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """torch's minimum."""
        return torch.minimum(a, b)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> list[Example]:
        """Same shapes and broadcasts."""
        return _examples(cls, None, rng)


@dataclass(frozen=True)
class QAdd16(QAdd):
    """QAdd of int16, with 15 extra bits."""

    kernel: ClassVar[str] = "add_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QSub16(QSub):
    """QSub of int16, with 15 extra bits."""

    kernel: ClassVar[str] = "sub_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QMul16(QMul):
    """QMul of int16."""

    kernel: ClassVar[str] = "mul_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QMaximum16(QMaximum):
    """QMaximum of int16."""

    kernel: ClassVar[str] = "maximum_s16"
    dtype: ClassVar[str] = "int16"


@dataclass(frozen=True)
class QMinimum16(QMinimum):
    """QMinimum of int16."""

    kernel: ClassVar[str] = "minimum_s16"
    dtype: ClassVar[str] = "int16"
