"""Assembles a .tflite flatbuffer from plain records: deterministic bytes, data aligned to 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

from octavo.formats.tflite.schema import BUILTIN_CODES, OPTION_CODES, TYPE_CODES
from octavo.ir.graph import Array
from octavo.num.qparams import PerChannel, QParams

__all__ = ["OutOperator", "OutTensor", "assemble"]

_OLD_CODE_LIMIT = 127
_ALIGNMENT = 16


@dataclass(frozen=True)
class OutTensor:
    """A tensor to write; ``data`` makes it a constant."""

    name: str
    shape: tuple[int, ...]
    type: str
    data: Array | None = None
    qparams: QParams | None = None


@dataclass(frozen=True)
class OutOperator:
    """An operator to write: builtin and version, tensor indices, options by the schema's names."""

    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options_type: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def assemble(
    name: str,
    tensors: Sequence[OutTensor],
    operators: Sequence[OutOperator],
    inputs: Sequence[int],
    outputs: Sequence[int],
) -> bytes:
    """The file's bytes."""
    b = flatbuffers.Builder(1024)
    codes = sorted({(operator.kind, operator.version) for operator in operators})
    buffers = [_buffer(b, None), *(_buffer(b, t.data) for t in tensors if t.data is not None)]
    tensor_tables, buffer = [], 0
    for tensor in tensors:
        buffer += tensor.data is not None
        tensor_tables.append(_tensor(b, tensor, buffer if tensor.data is not None else 0))
    operator_tables = [_operator(b, operator, codes) for operator in operators]
    subgraph = _subgraph(b, name, tensor_tables, operator_tables, inputs, outputs)
    code_tables = [_code(b, kind, version) for kind, version in codes]
    parts = (_offsets(b, code_tables), _offsets(b, [subgraph]), _offsets(b, buffers), b.CreateString("octavo"))
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, parts[0])
    tflite.ModelAddSubgraphs(b, parts[1])
    tflite.ModelAddBuffers(b, parts[2])
    tflite.ModelAddDescription(b, parts[3])
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def _offsets(b: Any, items: Sequence[int]) -> int:
    b.StartVector(4, len(items), 4)
    for item in reversed(items):
        b.PrependUOffsetTRelative(item)
    return int(b.EndVector())


def _numbers(b: Any, values: Any, dtype: str) -> int:
    return int(b.CreateNumpyVector(np.atleast_1d(np.asarray(values, dtype=dtype))))


def _buffer(b: Any, data: Array | None) -> int:
    vector = None
    if data is not None:
        raw = np.ascontiguousarray(data).tobytes()
        b.StartVector(1, len(raw), _ALIGNMENT)
        head = b.head - len(raw)
        b.head = head
        b.Bytes[head : head + len(raw)] = raw
        vector = b.EndVector()
    tflite.BufferStart(b)
    if vector is not None:
        tflite.BufferAddData(b, vector)
    return int(tflite.BufferEnd(b))


def _tensor(b: Any, tensor: OutTensor, buffer: int) -> int:
    name, shape = b.CreateString(tensor.name), _numbers(b, np.array(tensor.shape, np.int32), "int32")
    quantization = _quantization(b, tensor.qparams) if tensor.qparams is not None else None
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, TYPE_CODES[tensor.type])
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if quantization is not None:
        tflite.TensorAddQuantization(b, quantization)
    tflite.TensorAddHasRank(b, True)
    return int(tflite.TensorEnd(b))


def _quantization(b: Any, params: QParams) -> int:
    scale, zero_point = _numbers(b, params.scale, "float32"), _numbers(b, params.zero_point, "int64")
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scale)
    tflite.QuantizationParametersAddZeroPoint(b, zero_point)
    if isinstance(params.granularity, PerChannel):
        tflite.QuantizationParametersAddQuantizedDimension(b, params.granularity.axis)
    return int(tflite.QuantizationParametersEnd(b))


def _operator(b: Any, operator: OutOperator, codes: Sequence[tuple[str, int]]) -> int:
    inputs, outputs = _numbers(b, operator.inputs, "int32"), _numbers(b, operator.outputs, "int32")
    options = None
    if operator.options_type:
        getattr(tflite, f"{operator.options_type}Start")(b)
        for name, value in operator.options.items():
            getattr(tflite, f"{operator.options_type}Add{name}")(b, value)
        options = getattr(tflite, f"{operator.options_type}End")(b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, codes.index((operator.kind, operator.version)))
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if options is not None:
        tflite.OperatorAddBuiltinOptionsType(b, OPTION_CODES[operator.options_type])
        tflite.OperatorAddBuiltinOptions(b, options)
    return int(tflite.OperatorEnd(b))


def _subgraph(b: Any, name: str, tensors: Sequence[int], operators: Sequence[int], inputs: Sequence[int],
              outputs: Sequence[int]) -> int:  # fmt: skip
    parts = (_offsets(b, tensors), _numbers(b, inputs, "int32"), _numbers(b, outputs, "int32"))
    table, label = _offsets(b, operators), b.CreateString(name)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, parts[0])
    tflite.SubGraphAddInputs(b, parts[1])
    tflite.SubGraphAddOutputs(b, parts[2])
    tflite.SubGraphAddOperators(b, table)
    tflite.SubGraphAddName(b, label)
    return int(tflite.SubGraphEnd(b))


def _code(b: Any, kind: str, version: int) -> int:
    number = BUILTIN_CODES[kind]
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, _OLD_CODE_LIMIT))
    tflite.OperatorCodeAddVersion(b, version)
    tflite.OperatorCodeAddBuiltinCode(b, number)
    return int(tflite.OperatorCodeEnd(b))
