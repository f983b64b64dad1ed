"""Operators on constants, computed while reading: shape arithmetic and stored float16 weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from octavo.formats.tflite.schema import TYPE_NAMES, dtype_of
from octavo.formats.tflite.step import Step
from octavo.ir.graph import Array

__all__ = ["fold"]

_MAX_SHAPE_ELEMENTS = 4096


def fold(step: Step) -> bool:
    """Compute the operator now when all that it reads is known; whether that was so."""
    if step.operator.kind == "SHAPE":
        step.fold(np.array(step.shape(), np.int32))
        return True
    rule = _RULES.get(step.operator.kind)
    present = [position for position in range(len(step.operator.inputs)) if step.has(position)]
    if rule is None or not present or not all(step.is_const(position) for position in present):
        return False
    array = rule(step)
    declared = step.out()
    if array.size > max(_MAX_SHAPE_ELEMENTS, step.array(0).size):
        raise step.refuse(f"makes a constant of {array.size} elements from a smaller one")
    if declared.shape and array.shape != declared.shape:
        raise step.refuse(f"gives the shape {list(array.shape)}, the file says {list(declared.shape)}")
    step.fold(array)
    return True


def _small(step: Step) -> list[Array]:
    """The inputs, which must be short integer vectors."""
    arrays = [step.array(position) for position in range(len(step.operator.inputs))]
    if len(arrays) > 64 or any(a.size > _MAX_SHAPE_ELEMENTS or a.dtype.kind != "i" for a in arrays):
        raise step.refuse("computes with constants only", "Fold constants when you export the model.")
    return arrays


def _strided_slice(step: Step) -> Array:
    array, begin, end, stride = _small(step)
    if step.option("EllipsisMask") or step.option("NewAxisMask") or (stride == 0).any():
        raise step.refuse("slices a constant with an ellipsis or a new axis", "Export with static shapes.")
    parts: list[slice | int] = []
    for axis in range(min(begin.size, 8)):
        bit = 1 << axis
        if step.option("ShrinkAxisMask") & bit:
            parts.append(int(begin[axis]))
            continue
        first = None if step.option("BeginMask") & bit else int(begin[axis])
        last = None if step.option("EndMask") & bit else int(end[axis])
        parts.append(slice(first, last, int(stride[axis])))
    return np.asarray(array[tuple(parts)])


def _slice(step: Step) -> Array:
    array, begin, size = _small(step)
    ends = [None if s == -1 else int(b + s) for b, s in zip(begin, size, strict=True)]
    return np.asarray(array[tuple(slice(int(b), e) for b, e in zip(begin, ends, strict=True))])


def _reshape(step: Step) -> Array:
    shape = step.ints(1) if step.has(1) else step.out().shape
    return step.array(0).reshape(shape)


def _cast(step: Step) -> Array:
    dtype = dtype_of(step.out().type)
    if dtype is None or dtype.kind not in "if":
        raise step.refuse(f"casts to {step.out().type}", f"Use one of {', '.join(sorted(TYPE_NAMES.values()))}.")
    return step.array(0).astype(dtype)


def _gather(step: Step) -> Array:
    array, indices = _small(step)
    return np.asarray(np.take(array, indices, axis=step.option("Axis")))


_RULES: Mapping[str, Callable[[Step], Array]] = {
    "ADD": lambda step: np.asarray(np.add(*_small(step)[:2])),
    "CAST": _cast,
    "CONCATENATION": lambda step: np.concatenate(_small(step), axis=step.option("Axis")),
    "DEQUANTIZE": lambda step: step.real(0),
    "DIV": lambda step: np.asarray(np.floor_divide(*_small(step)[:2])),
    "EXPAND_DIMS": lambda step: np.expand_dims(step.array(0), step.ints(1)),
    "GATHER": _gather,
    "MUL": lambda step: np.asarray(np.multiply(*_small(step)[:2])),
    "PACK": lambda step: np.stack(_small(step), axis=step.option("Axis")),
    "REDUCE_PROD": lambda step: np.asarray(np.prod(_small(step)[0], dtype=np.int64)).astype(np.int32),
    "RESHAPE": _reshape,
    "SLICE": _slice,
    "SQUEEZE": lambda step: step.array(0).reshape(step.out().shape),
    "STRIDED_SLICE": _strided_slice,
    "SUB": lambda step: np.asarray(np.subtract(*_small(step)[:2])),
    "TRANSPOSE": lambda step: step.array(0).transpose(step.ints(1)),
}
