"""Decodes a .tflite flatbuffer into plain, checked records.

The generated ``tflite`` package verifies nothing, so everything that is believed is bounded here: vectors must fit the
file, ranks and names are limited, indices must exist, and whatever a damaged file makes the package raise becomes one
OctavoError that names the file and the place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from octavo.errors import OctavoError
from octavo.formats.tflite.schema import BUILTIN_NAMES, OPTION_NAMES, TYPE_NAMES
from octavo.ir.graph import Array

__all__ = ["DAMAGED", "TfModel", "TfOperator", "TfTensor", "guard", "parse"]

DAMAGED = "The file is damaged or not a TensorFlow Lite model: export or download it again."

MAX_BYTES = 2**31 - 1
MAX_RANK = 6
MAX_NAME = 1024
MAX_ARGUMENTS = 4096
MAX_TOTAL_ARGUMENTS = 2**20

_PARSE_ERRORS = (
    struct.error,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True)
class TfTensor:
    """A tensor as the file has it. ``dynamic`` marks axes whose size the file leaves open (stored as 1)."""

    name: str
    shape: tuple[int, ...]
    dynamic: tuple[bool, ...]
    type: str
    data: Array | None
    scale: Array
    zero_point: Array
    axis: int

    @property
    def quantized(self) -> bool:
        """Whether the file gives an encoding."""
        return self.scale.size > 0


@dataclass(frozen=True)
class TfOperator:
    """An operator: the schema's name, tensor indices (-1 for an absent optional input), its options table."""

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str
    options: Any


@dataclass(frozen=True)
class TfModel:
    """The first subgraph of a file."""

    name: str
    tensors: tuple[TfTensor, ...]
    operators: tuple[TfOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@contextmanager
def guard(where: str) -> Iterator[None]:
    """Turn whatever a damaged file makes Python raise into one OctavoError."""
    try:
        yield
    except _PARSE_ERRORS as error:
        why = f"cannot be decoded ({type(error).__name__}: {str(error)[:120]})"
        raise OctavoError(where, why, DAMAGED) from error


def parse(path: Path) -> TfModel:
    """Read and check the file; OctavoError names what is wrong."""
    file = path.name
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise OctavoError(file, f"has {size} bytes, more than a flatbuffer can", DAMAGED)
        data = path.read_bytes()
    except OSError as error:
        raise OctavoError(str(path), f"cannot be read ({error.strerror})", "Check the path and permissions.") from error
    if len(data) < 16 or data[4:8] != b"TFL3":
        raise OctavoError(file, "is not a TensorFlow Lite model (no TFL3 identifier)", DAMAGED)
    with guard(file):
        model = tflite.Model.GetRootAs(data, 0)
        if _count(model.SubgraphsLength(), data, file, "subgraphs") < 1:
            raise OctavoError(file, "has no subgraph", DAMAGED)
        graph = model.Subgraphs(0)
        tensors = _tensors(model, graph, data, file)
        operators = _operators(model, graph, data, len(tensors), file)
        inputs = _indices(graph.InputsAsNumpy(), len(tensors), f"{file}: inputs")
        outputs = _indices(graph.OutputsAsNumpy(), len(tensors), f"{file}: outputs")
    if not inputs or not outputs or -1 in (*inputs, *outputs):
        raise OctavoError(file, f"has {len(inputs)} inputs and {len(outputs)} outputs", DAMAGED)
    return TfModel(path.stem, tensors, operators, inputs, outputs)


def _count(count: int, data: bytes, where: str, what: str) -> int:
    if count * 4 > len(data):
        raise OctavoError(where, f"claims {count} {what}, more than the file can hold", DAMAGED)
    return int(count)


def _vector(value: Any, limit: int, where: str, what: str) -> Array:
    """A vector that the generated code read (0 when absent), not longer than ``limit``."""
    array = np.atleast_1d(value) if isinstance(value, np.ndarray) else np.zeros(0, dtype=np.int32)
    if array.size > limit:
        raise OctavoError(where, f"has {array.size} {what}, at most {limit} are legal", DAMAGED)
    return array


def _indices(value: Any, tensors: int, where: str) -> tuple[int, ...]:
    array = _vector(value, MAX_ARGUMENTS, where, "tensor indices")
    if array.size and (int(array.min()) < -1 or int(array.max()) >= tensors):
        raise OctavoError(where, f"names a tensor index outside 0 ... {tensors - 1}", DAMAGED)
    return tuple(int(i) for i in array)


def _tensors(model: Any, graph: Any, data: bytes, file: str) -> tuple[TfTensor, ...]:
    buffers = _count(model.BuffersLength(), data, file, "buffers")
    count = _count(graph.TensorsLength(), data, file, "tensors")
    return tuple(_tensor(graph.Tensors(i), i, model, buffers, data, file) for i in range(count))


def _tensor(tensor: Any, index: int, model: Any, buffers: int, data: bytes, file: str) -> TfTensor:
    with guard(f"{file}: tensor {index}"):
        name = (tensor.Name() or b"")[:MAX_NAME].decode("utf-8", "replace") or f"tensor_{index}"
        where = f"{file}: tensor {index} ({name[:80]})"
        stored = [int(d) for d in _vector(tensor.ShapeAsNumpy(), MAX_RANK, where, "axes")]
        signature = [int(d) for d in _vector(tensor.ShapeSignatureAsNumpy(), MAX_RANK, where, "axes")]
        open_axes = signature if len(signature) == len(stored) else stored
        dynamic = tuple(d == -1 for d in open_axes)
        shape = tuple(1 if d == -1 else d for d in stored)
        type_name = TYPE_NAMES.get(tensor.Type(), f"type {tensor.Type()}")
        if any(d < 0 for d in shape):
            raise OctavoError(where, f"has the shape {stored}", DAMAGED)
        if tensor.Sparsity() is not None or tensor.IsVariable():
            kind = "a variable (state kept between runs)" if tensor.IsVariable() else "sparse"
            raise OctavoError(where, f"is {kind}, which is not supported", "Export the model without it.")
        if not 0 <= tensor.Buffer() < max(buffers, 1):
            raise OctavoError(where, f"names buffer {tensor.Buffer()} of {buffers}", DAMAGED)
        contents = _contents(model.Buffers(tensor.Buffer()), data, where) if buffers else None
        scale, zero_point, axis = _encoding(tensor.Quantization(), shape, where)
    return TfTensor(name, shape, dynamic, type_name, contents, scale, zero_point, axis)


def _contents(buffer: Any, data: bytes, where: str) -> Array | None:
    """The raw bytes of a buffer (no copy), inside the flatbuffer or behind it."""
    if buffer.Offset() > 1:
        offset, size = int(buffer.Offset()), int(buffer.Size())
        if offset + size > len(data):
            raise OctavoError(where, "its data lies outside the file", DAMAGED)
        return np.frombuffer(data, np.uint8, size, offset)
    array = buffer.DataAsNumpy()
    return array if isinstance(array, np.ndarray) and array.size else None


def _encoding(quantization: Any, shape: tuple[int, ...], where: str) -> tuple[Array, Array, int]:
    """Scale, zero point and quantized axis; empty arrays when there is no encoding."""
    nothing = (np.zeros(0, np.float32), np.zeros(0, np.int64), 0)
    if quantization is None:
        return nothing
    limit = max((1, *shape))
    scale = _vector(quantization.ScaleAsNumpy(), limit, where, "scales")
    zero_point = _vector(quantization.ZeroPointAsNumpy(), limit, where, "zero points")
    if scale.size == 0:
        return nothing
    axis = int(quantization.QuantizedDimension())
    if zero_point.size == 0:
        zero_point = np.zeros(scale.size, np.int64)
    if zero_point.size == 1:
        zero_point = np.broadcast_to(zero_point, scale.shape)
    if scale.size > 1 and not (0 <= axis < len(shape) and scale.size == shape[axis]):
        raise OctavoError(where, f"has {scale.size} scales along axis {axis} of the shape {list(shape)}", DAMAGED)
    if zero_point.size != scale.size:
        raise OctavoError(where, f"has {scale.size} scales and {zero_point.size} zero points", DAMAGED)
    if not (np.isfinite(scale).all() and (scale > 0).all()) or (np.abs(zero_point) > 2**31 - 1).any():
        raise OctavoError(where, "has a scale that is not positive and finite, or a zero point out of range", DAMAGED)
    return scale, zero_point, axis


def _operators(model: Any, graph: Any, data: bytes, tensors: int, file: str) -> tuple[TfOperator, ...]:
    codes = [_code(model.OperatorCodes(i)) for i in range(_count(model.OperatorCodesLength(), data, file, "codes"))]
    count = _count(graph.OperatorsLength(), data, file, "operators")
    read: list[TfOperator] = []
    total = 0
    for index in range(count):
        where = f"{file}: operator {index}"
        with guard(where):
            operator = graph.Operators(index)
            if not 0 <= operator.OpcodeIndex() < len(codes):
                raise OctavoError(where, f"names operator code {operator.OpcodeIndex()} of {len(codes)}", DAMAGED)
            read.append(_operator(operator, index, codes[operator.OpcodeIndex()], tensors, where))
        total += len(read[-1].inputs) + len(read[-1].outputs)
        if total > MAX_TOTAL_ARGUMENTS:
            raise OctavoError(where, "the operators have more inputs and outputs than is plausible", DAMAGED)
    return tuple(read)


def _code(code: Any) -> str:
    """The builtin's name; newer files use the wide field, older ones the deprecated byte."""
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = BUILTIN_NAMES.get(number, f"builtin {number}")
    if name == "CUSTOM":
        return f"custom operator {(code.CustomCode() or b'')[:64].decode('utf-8', 'replace')}"
    return name


def _operator(operator: Any, index: int, kind: str, tensors: int, where: str) -> TfOperator:
    place = f"{where} ({kind})"
    inputs = _indices(operator.InputsAsNumpy(), tensors, place)
    outputs = _indices(operator.OutputsAsNumpy(), tensors, place)
    if not outputs or -1 in outputs:
        raise OctavoError(place, "has no output", DAMAGED)
    options_type = OPTION_NAMES.get(operator.BuiltinOptionsType(), "")
    table = operator.BuiltinOptions()
    if options_type in ("", "NONE") or table is None:
        return TfOperator(index, kind, inputs, outputs, "", None)
    make: Callable[[], Any] = getattr(tflite, options_type)
    options = make()
    options.Init(table.Bytes, table.Pos)
    return TfOperator(index, kind, inputs, outputs, options_type, options)
