"""TensorFlow Lite Micro's interpreter on models of a single operator: the oracle of every integer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from octavo.formats.tflite.assemble import OutOperator, OutTensor, assemble
from octavo.num.qparams import QParams

__all__ = ["Operand", "encoding", "random_encoding", "run_single", "single_op_model", "tflm"]

Operand = tuple[np.ndarray, QParams | None] | tuple[tuple[int, ...], QParams]
"""An input: a constant with its encoding, or the shape and encoding of an activation."""


def encoding(scale: float, zero_point: int = 0, dtype: str = "int8") -> QParams:
    """A per-tensor encoding."""
    return QParams(dtype, np.array([scale], np.float32), np.array([zero_point], np.int32))


def random_encoding(rng: np.random.Generator, low: float = 1e-3, high: float = 1.0, dtype: str = "int8") -> QParams:
    """A log-uniform scale and any zero point, the limits often; int16 has no zero point and finer scales."""
    if dtype == "int16":
        return encoding(float(np.exp(rng.uniform(np.log(low), np.log(high)))) / 256, 0, dtype)
    zero_point = int(rng.choice([-128, 127, 0, *rng.integers(-128, 128, 3)]))
    return encoding(float(np.exp(rng.uniform(np.log(low), np.log(high)))), zero_point)


def single_op_model(
    kind: str,
    operands: Sequence[Operand],
    output: tuple[tuple[int, ...], QParams],
    version: int = 1,
    options_type: str = "",
    **options: Any,
) -> bytes:
    """A .tflite with one operator; options by the schema's names."""
    tensors, activations = [], []
    for index, (value, qparams) in enumerate(operands):
        if isinstance(value, np.ndarray):
            tensors.append(OutTensor(f"c{index}", value.shape, str(value.dtype).upper(), value, qparams))
        else:
            assert qparams is not None
            tensors.append(OutTensor(f"x{index}", value, qparams.dtype.upper(), None, qparams))
            activations.append(index)
    tensors.append(OutTensor("y", output[0], output[1].dtype.upper(), None, output[1]))
    last = len(tensors) - 1
    operator = OutOperator(kind, version, tuple(range(last)), (last,), options_type, options)
    return assemble("one", tensors, [operator], activations, [last])


def run_single(model: bytes, *inputs: np.ndarray) -> np.ndarray:
    """The interpreter's output; skips where the interpreter is not installed."""
    runtime = pytest.importorskip("tflite_micro").runtime
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    for index, value in enumerate(inputs):
        interpreter.set_input(value, index)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0))


def tflm(
    kind: str, operands: Sequence[Operand], output: tuple[tuple[int, ...], QParams], *inputs: np.ndarray, **model: Any
) -> np.ndarray:
    """``single_op_model`` and ``run_single`` in one step."""
    return run_single(single_op_model(kind, operands, output, **model), *inputs)
