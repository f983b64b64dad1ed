"""Constant subgraphs, evaluated with numpy while importing. Result sizes are bounded before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from octavo.formats.onnx.movement import resolve_shape
from octavo.formats.onnx.proto import Operation, dtype_name
from octavo.ir.graph import Array

__all__ = ["FOLD", "Folder"]

MAX_FOLDED = 2**24
_CAST = {
    "FLOAT": "float32",
    "FLOAT16": "float16",
    "DOUBLE": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "BOOL": "bool",
}

Folder = Callable[[Operation, Sequence[Array | None]], "Array | list[Array]"]


def _bounded(shape: Sequence[int]) -> tuple[int, ...]:
    if len(shape) > 16 or min(shape, default=1) < 0 or math.prod(shape) > MAX_FOLDED:
        raise ValueError(f"the constant of shape {list(shape)[:16]} is too large")
    return tuple(int(d) for d in shape)


def _need(inputs: Sequence[Array | None], index: int) -> Array:
    value = inputs[index] if index < len(inputs) else None
    if value is None:
        raise ValueError(f"input {index} is missing")
    return value


def _ints(op: Operation, inputs: Sequence[Array | None], index: int, attribute: str) -> tuple[int, ...] | None:
    value = inputs[index] if index < len(inputs) else None
    return op.integers(attribute) if value is None else tuple(int(v) for v in value.ravel())


def _unary(function: Callable[[Array], Any]) -> Folder:
    return lambda op, inputs: np.asarray(function(_need(inputs, 0)))


def _binary(function: Callable[[Array, Array], Any]) -> Folder:
    def fold(op: Operation, inputs: Sequence[Array | None]) -> Array:
        a, b = _need(inputs, 0), _need(inputs, 1)
        _bounded(np.broadcast_shapes(a.shape, b.shape))
        return np.asarray(function(a, b))

    return fold


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu":
        return np.asarray((np.abs(a) // np.abs(b) * np.sign(a) * np.sign(b)).astype(a.dtype))
    return np.asarray(a / b)


def _constant(op: Operation, inputs: Sequence[Array | None]) -> Array:
    value = op.tensor("value")
    if value is not None:
        return value
    if op.has("value_float"):
        return np.array(op.number("value_float", 0.0), dtype=np.float32)
    if op.has("value_int"):
        return np.array(op.integer("value_int", 0), dtype=np.int64)
    if op.has("value_ints"):
        return np.array(op.integers("value_ints"), dtype=np.int64)
    if op.has("value_floats"):
        return np.array(op.numbers("value_floats"), dtype=np.float32)
    raise ValueError("holds no numeric value")


def _constant_of_shape(op: Operation, inputs: Sequence[Array | None]) -> Array:
    value = op.tensor("value")
    value = np.zeros(1, np.float32) if value is None else value
    return np.full(_bounded([int(d) for d in _need(inputs, 0).ravel()]), value.reshape(-1)[0], dtype=value.dtype)


def _cast(op: Operation, inputs: Sequence[Array | None]) -> Array:
    name = dtype_name(op.integer("to", 0))
    if name not in _CAST:
        raise ValueError(f"casts to {name}")
    return _need(inputs, 0).astype(_CAST[name])


def _gather(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data, indices = _need(inputs, 0), _need(inputs, 1)
    axis = op.integer("axis", 0)
    if not -data.ndim <= axis < data.ndim or indices.dtype.kind not in "iu":
        raise ValueError(f"axis {axis} or indices are not legal for {list(data.shape)}")
    axis %= data.ndim
    _bounded(data.shape[:axis] + indices.shape + data.shape[axis + 1 :])
    return np.asarray(np.take(data, indices.astype(np.int64), axis=axis))


def _concat(op: Operation, inputs: Sequence[Array | None]) -> Array:
    arrays = [array for array in inputs if array is not None]
    if sum(array.size for array in arrays) > MAX_FOLDED:
        raise ValueError("the constant is too large")
    return np.concatenate(arrays, axis=op.integer("axis", 0))


def _slice(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data = _need(inputs, 0)
    starts, ends = _ints(op, inputs, 1, "starts") or (), _ints(op, inputs, 2, "ends") or ()
    axes = _ints(op, inputs, 3, "axes") or tuple(range(len(starts)))
    steps = _ints(op, inputs, 4, "steps") or (1,) * len(starts)
    index = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, None if step < 0 and end <= -(2**31) else end, step)
    return np.asarray(data[tuple(index)])


def _unsqueeze(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data, axes = _need(inputs, 0), _ints(op, inputs, 1, "axes") or ()
    _bounded([1] * (data.ndim + len(axes)))
    return np.expand_dims(data, axes)


def _squeeze(op: Operation, inputs: Sequence[Array | None]) -> Array:
    return np.asarray(np.squeeze(_need(inputs, 0), _ints(op, inputs, 1, "axes")))


def _reshape(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data, shape = _need(inputs, 0), _ints(op, inputs, 1, "shape") or ()
    return data.reshape(resolve_shape(data.shape, shape, bool(op.integer("allowzero", 0))))


def _flatten(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data, axis = _need(inputs, 0), op.integer("axis", 1)
    axis = axis + data.ndim if axis < 0 else axis
    return data.reshape(math.prod(data.shape[:axis]), math.prod(data.shape[axis:]))


def _transpose(op: Operation, inputs: Sequence[Array | None]) -> Array:
    return np.transpose(_need(inputs, 0), op.integers("perm"))


def _expand(op: Operation, inputs: Sequence[Array | None]) -> Array:
    data = _need(inputs, 0)
    shape = np.broadcast_shapes(data.shape, tuple(int(d) for d in _need(inputs, 1).ravel()))
    return np.broadcast_to(data, _bounded(shape)).copy()


def _range(op: Operation, inputs: Sequence[Array | None]) -> Array:
    start, limit, delta = (_need(inputs, i).reshape(()) for i in range(3))
    if not np.isfinite([float(start), float(limit), float(delta)]).all() or delta == 0:
        raise ValueError("start, limit or delta is not legal")
    _bounded([max(math.ceil((float(limit) - float(start)) / float(delta)), 0)])
    return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _where(op: Operation, inputs: Sequence[Array | None]) -> Array:
    arrays = [_need(inputs, i) for i in range(3)]
    _bounded(np.broadcast_shapes(*(array.shape for array in arrays)))
    return np.where(arrays[0], arrays[1], arrays[2])


def _reduce(function: Callable[..., Any]) -> Folder:
    def fold(op: Operation, inputs: Sequence[Array | None]) -> Array:
        data, axes = _need(inputs, 0), _ints(op, inputs, 1, "axes")
        if not axes and op.integer("noop_with_empty_axes", 0):
            return data
        reduced = function(data, axis=axes or None, keepdims=bool(op.integer("keepdims", 1)))
        return np.asarray(reduced).astype(data.dtype)

    return fold


def _split(op: Operation, inputs: Sequence[Array | None]) -> list[Array]:
    data, sizes, axis = _need(inputs, 0), _ints(op, inputs, 1, "split"), op.integer("axis", 0)
    if sizes is None:
        part = -(-data.shape[axis] // len(op.outputs))
        sizes = tuple(min(part, data.shape[axis] - part * i) for i in range(len(op.outputs)))
    if len(sizes) != len(op.outputs) or sum(sizes) != data.shape[axis] or min(sizes) < 0:
        raise ValueError(f"split {list(sizes)} does not divide {list(data.shape)}")
    return [np.asarray(part) for part in np.split(data, np.cumsum(sizes)[:-1].tolist(), axis)]


def _clip(op: Operation, inputs: Sequence[Array | None]) -> Array:
    low = inputs[1] if len(inputs) > 1 else None
    high = inputs[2] if len(inputs) > 2 else None
    return np.asarray(np.clip(_need(inputs, 0), low, high))


def _power(a: Array, b: Array) -> Array:
    return np.asarray(np.power(a.astype(np.float64), b.astype(np.float64)).astype(a.dtype))


FOLD: Mapping[str, Folder] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _binary(np.logical_and),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Div": _binary(_divide),
    "Equal": _binary(np.equal),
    "Exp": _unary(np.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": _unary(np.floor),
    "Gather": _gather,
    "Greater": _binary(np.greater),
    "Identity": _unary(np.array),
    "Less": _binary(np.less),
    "Log": _unary(np.log),
    "Max": _binary(np.maximum),
    "Min": _binary(np.minimum),
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "Not": _unary(np.logical_not),
    "Or": _binary(np.logical_or),
    "Pow": _binary(_power),
    "Range": _range,
    "Reciprocal": _unary(lambda a: (1 / a).astype(a.dtype)),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(np.mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _unary(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
"""Operators that are evaluated when all their inputs are constants."""
