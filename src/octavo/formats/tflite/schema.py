"""The schema's enumerations by name, taken from the generated ``tflite`` package."""

from __future__ import annotations

from typing import Any

import numpy as np
import tflite

__all__ = ["BUILTIN_CODES", "BUILTIN_NAMES", "OPTION_CODES", "OPTION_NAMES", "TYPE_CODES", "TYPE_NAMES", "dtype_of"]


def _numbers(enumeration: Any) -> dict[str, int]:
    return {name: value for name, value in vars(enumeration).items() if isinstance(value, int)}


BUILTIN_CODES = _numbers(tflite.BuiltinOperator)
BUILTIN_NAMES = {code: name for name, code in BUILTIN_CODES.items()}
OPTION_CODES = _numbers(tflite.BuiltinOptions)
OPTION_NAMES = {code: name for name, code in OPTION_CODES.items()}
TYPE_CODES = _numbers(tflite.TensorType)
TYPE_NAMES = {code: name for name, code in TYPE_CODES.items()}

_NUMPY: dict[str, np.dtype[Any]] = {
    "FLOAT32": np.dtype("<f4"),
    "FLOAT16": np.dtype("<f2"),
    "FLOAT64": np.dtype("<f8"),
    "INT8": np.dtype("i1"),
    "UINT8": np.dtype("u1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "BOOL": np.dtype("?"),
}


def dtype_of(type_name: str) -> np.dtype[Any] | None:
    """The numpy dtype in which tensors of that type are stored; None for types without one (strings, int4, ...)."""
    return _NUMPY.get(type_name)
