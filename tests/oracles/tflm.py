"""The TensorFlow Lite Micro interpreter: the oracle for integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro import runtime

__all__ = ["run_tflm"]

ARENA_BYTES = 64 * 2**20


def run_tflm(model: bytes, inputs: Sequence[NDArray[np.int8]], outputs: int = 1) -> list[NDArray[np.int8]]:
    """Outputs [N, elements] of a .tflite for inputs [N, ...], one array for each input and output, sample by sample."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
    shapes = [tuple(interpreter.get_input_details(index)["shape"]) for index in range(len(inputs))]
    rows: list[list[NDArray[np.int8]]] = []
    for sample in range(len(inputs[0])):
        for index, (values, shape) in enumerate(zip(inputs, shapes, strict=True)):
            interpreter.set_input(values[sample].reshape(shape), index)
        interpreter.invoke()
        rows.append([interpreter.get_output(index).reshape(-1).copy() for index in range(outputs)])
    return [np.stack(column) for column in zip(*rows, strict=True)]
