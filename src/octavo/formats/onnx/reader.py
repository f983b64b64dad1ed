"""Reads a float ONNX model (opset 7 to 21) into a Graph.

Order: parse, sort the nodes that the outputs need, refuse what is not supported (all of it in one error), then convert
node by node; the GraphBuilder infers every shape, and constant subgraphs are folded on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto

from octavo.errors import OctavoError
from octavo.formats.onnx.call import Call, channels_first, channels_last
from octavo.formats.onnx.folding import FOLD
from octavo.formats.onnx.operators import CONVERTERS
from octavo.formats.onnx.proto import (
    Operation,
    decode_tensor,
    describe,
    dtype_name,
    opset_of,
    parse_model,
    read_operation,
)
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Array, Graph, TensorType
from octavo.ops import Identity, Transpose

__all__ = ["read_onnx"]

_OPSETS = range(7, 22)
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_REEXPORT = "Export the model again; the file is damaged or was written by a faulty tool."
_MALFORMED = (ArithmeticError, LookupError, MemoryError, TypeError, ValueError)
_WINDOWS = ("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize")
_OF_SHAPES = ("Shape", "Size")
_QUANTIZED = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
)
_MAX_FOLDED_BYTES = 2**30


@dataclass(frozen=True)
class _Source:
    """The file's graph in plain form: nodes in topological order, only those that the outputs need."""

    operations: tuple[Operation, ...]
    initializers: Mapping[str, TensorProto]
    inputs: tuple[ValueInfoProto, ...]
    outputs: tuple[str, ...]
    opset: int


def read_onnx(path: Path) -> Graph:
    """The float graph of an .onnx file, channels last inside, with a batch of 1.

    Raises OctavoError, and nothing else, for files that are damaged or use what is not supported.
    """
    path = Path(path)
    model = parse_model(path)
    try:
        source = _source(model, path.parent)
        _refuse_unsupported(source)
        with np.errstate(all="ignore"):
            return _convert(source, path)
    except OctavoError:
        raise
    except _MALFORMED as error:
        raise OctavoError(str(path), f"is malformed ({_brief(error)})", _REEXPORT) from error


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _source(model: ModelProto, folder: Path) -> _Source:
    graph, opset = model.graph, opset_of(model)
    if opset not in _OPSETS:
        raise OctavoError(
            "model",
            f"uses ONNX operator set {opset}",
            "Operator sets 13 to 21 are supported (7 to 12 mostly): export again, or use onnx.version_converter.",
        )
    if graph.sparse_initializer:
        raise OctavoError("model", "holds sparse weights", "Export the model with dense weights.")
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    inputs = tuple(value for value in graph.input if value.name not in initializers)
    names = [value.name for value in inputs]
    if len(initializers) != len(graph.initializer) or len(set(names)) != len(names):
        raise OctavoError("model", "names an input or a weight twice", _REEXPORT)
    operations = [read_operation(node, index, folder) for index, node in enumerate(graph.node)]
    outputs = tuple(value.name for value in graph.output)
    if not outputs or not inputs:
        raise OctavoError("model", "has no inputs or no outputs", _REEXPORT)
    return _Source(_needed(operations, [*names, *initializers], outputs), initializers, inputs, outputs, opset)


def _needed(operations: Sequence[Operation], known: Iterable[str], outputs: Sequence[str]) -> tuple[Operation, ...]:
    """The operations that ``outputs`` need, sorted. Refuses cycles, missing values and double definitions."""
    roots = set(known)
    producer: dict[str, int] = {}
    for index, operation in enumerate(operations):
        for name in filter(None, operation.outputs):
            if name in producer or name in roots:
                raise OctavoError(operation.where, f"defines {describe(name)} a second time", _REEXPORT)
            producer[name] = index
    order: list[int] = []
    state: dict[int, int] = {}  # 1: its inputs are being visited, 2: done
    stack = [(producer[name], False) for name in outputs if name in producer]
    for name in outputs:
        if name not in producer and name not in roots:
            raise OctavoError(f"output {describe(name)}", "is not defined", _REEXPORT)
    while stack:
        index, finished = stack.pop()
        if finished:
            state[index] = 2
            order.append(index)
        elif index not in state:
            state[index] = 1
            stack.append((index, True))
            for name in filter(None, operations[index].inputs):
                where = operations[index].where
                if name not in producer and name not in roots:
                    raise OctavoError(where, f"reads {describe(name)}, which is not defined", _REEXPORT)
                if name in producer and state.get(producer[name]) == 1:
                    raise OctavoError(where, "is part of a cycle", _REEXPORT)
                if name in producer:
                    stack.append((producer[name], False))
    used = {name for index in order for name in operations[index].inputs}.union(outputs)
    return tuple(_trimmed(operations[index], used) for index in _stable(order, operations, producer))


def _trimmed(operation: Operation, used: set[str]) -> Operation:
    """The operation with empty names for outputs that nobody reads."""
    return replace(operation, outputs=tuple(name if name in used else "" for name in operation.outputs))


def _stable(order: Sequence[int], operations: Sequence[Operation], producer: Mapping[str, int]) -> Sequence[int]:
    """The file's own order where it is topological (it should be), else ``order``."""
    in_file = sorted(order)
    position = {index: place for place, index in enumerate(in_file)}
    reads = ((index, producer[n]) for index in in_file for n in operations[index].inputs if n in producer)
    return in_file if all(position[made] < position[used] for used, made in reads) else order


def _refuse_unsupported(source: _Source) -> None:
    """One error that lists every operator that is not supported."""
    constant = set(source.initializers)
    convertible = {*CONVERTERS, *_OF_SHAPES}
    found: list[str] = []
    quantized: list[str] = []
    for operation in source.operations:
        folded = all(name in constant for name in operation.inputs if name)
        if folded or operation.op_type in _OF_SHAPES:
            constant.update(operation.outputs)
        supported = operation.op_type in (FOLD if folded and operation.op_type not in _OF_SHAPES else convertible)
        if operation.op_type in _QUANTIZED:
            quantized.append(operation.where)
        elif operation.domain or not supported:
            domain = f"{describe(operation.domain)}." if operation.domain else ""
            found.append(f"{domain}{operation.where}" + (" (of constants)" if folded else ""))
    if quantized:
        raise OctavoError(
            quantized[0],
            "the model is already quantized, and quantized ONNX is not read",
            "Give the float model, or an int8 .tflite.",
        )
    if found:
        shown = ", ".join(found[:50]) + (f" and {len(found) - 50} more" if len(found) > 50 else "")
        raise OctavoError(
            "model",
            f"{len(found)} operators are not supported: {shown}",
            "Replace them by supported operators (docs/operators.md lists them) or cut the model before them.",
        )


def _convert(source: _Source, path: Path) -> Graph:
    builder = GraphBuilder(path.stem)
    used = {name for operation in source.operations for name in operation.inputs}.union(source.outputs)
    consts = {n: decode_tensor(t, path.parent) for n, t in source.initializers.items() if n in used}
    readers: dict[str, list[Operation]] = {}
    for operation in source.operations:
        for name in operation.inputs:
            readers.setdefault(name, []).append(operation)
    values = {value.name: _input(builder, value, _has_channels(value, readers, source)) for value in source.inputs}
    budget = _MAX_FOLDED_BYTES
    for operation in source.operations:
        call = Call(builder, operation, source.opset, values, consts)
        try:
            made = _run(call)
        except _MALFORMED as error:
            raise OctavoError(
                operation.where, _brief(error), "Check the model with the framework that wrote it, or restructure it."
            ) from error
        for name, value in zip(operation.outputs, made, strict=False):
            if not name:
                continue
            if isinstance(value, str):
                values[name] = value
            else:
                consts[name] = value
                budget -= value.nbytes
        if budget < 0:
            raise OctavoError(operation.where, "the model's constants grow beyond 1 GiB", "Simplify the model.")
    return _finish(builder, source, values)


def _run(call: Call) -> Sequence[str | Array]:
    """The node's outputs: values of the graph or constants."""
    operation = call.operation
    names = [name for name in operation.inputs if name]
    if operation.op_type in _OF_SHAPES:
        return [_shape(call)]
    if all(name in call.consts for name in names):
        arrays = [call.consts[name] if name else None for name in operation.inputs]
        folded = FOLD[operation.op_type](operation, arrays)
        return folded if isinstance(folded, list) else [folded]
    made = CONVERTERS[operation.op_type](call)
    return made if isinstance(made, list) else [made]


def _shape(call: Call) -> Array:
    name = next(iter(call.operation.inputs), "")
    if name not in call.values and name not in call.consts:
        raise ValueError("has no input")
    shape = call.shape(call.values[name]) if name in call.values else call.consts[name].shape
    if call.operation.op_type == "Size":
        return np.array(int(np.prod(shape)), dtype=np.int64)
    start, end = call.operation.integer("start", 0), call.operation.integer("end", len(shape))
    return np.array(shape[start:end], dtype=np.int64)


def _input(builder: GraphBuilder, value: ValueInfoProto, has_channels: bool) -> str:
    """Declare an input: images and signals channels last, followed by a transpose back to ONNX order."""
    where = f"input {describe(value.name)}"
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or tensor.elem_type not in _FLOATS:
        kind = dtype_name(tensor.elem_type) if value.type.HasField("tensor_type") else "not a tensor"
        raise OctavoError(where, f"is {kind}", "Only float inputs are supported: move the conversion out of the model.")
    shape = _input_shape(value, where)
    if not has_channels:
        return builder.input(value.name, TensorType(shape))
    perm = channels_last(len(shape))
    name = builder.input(value.name, TensorType(tuple(shape[axis] for axis in perm)))
    builder.layout(name, perm)
    return builder.add(Transpose(channels_first(len(shape))), [name], f"{name}.nchw", where)


def _input_shape(value: ValueInfoProto, where: str) -> tuple[int, ...]:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape") or not 1 <= len(tensor.shape.dim) <= 5:
        raise OctavoError(where, "has no known shape of 1 to 5 axes", "Export the model with fixed input shapes.")
    shape = [int(d.dim_value) if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
    if shape[0] > 1:
        raise OctavoError(
            where,
            f"has a fixed batch of {shape[0]}",
            "Axis 0 must be the batch: export the model with a batch of 1 or a dynamic batch.",
        )
    for axis, dim in enumerate(shape[1:], start=1):
        if dim < 1:
            name = describe(tensor.shape.dim[axis].dim_param) or "unnamed"
            raise OctavoError(
                where,
                f"has a dynamic axis {axis} ({name})",
                f"Only the batch (axis 0) may be dynamic: export the model with a fixed size for axis {axis}.",
            )
    return (1, *shape[1:])


def _has_channels(value: ValueInfoProto, readers: Mapping[str, Sequence[Operation]], source: _Source) -> bool:
    """Whether the input is an image or a signal with channels on axis 1.

    No: when the model itself moves the channels from the last axis first.
    """
    rank = len(value.type.tensor_type.shape.dim)
    if rank not in (3, 4):
        return False
    back, found = channels_first(rank), readers.get(value.name, ())
    moved = [reader.op_type == "Transpose" and reader.integers("perm") == back for reader in found]
    if moved and all(moved):
        return False
    return rank == 4 or any(operation.op_type in _WINDOWS for operation in source.operations)


def _finish(builder: GraphBuilder, source: _Source, values: Mapping[str, str]) -> Graph:
    """The graph with the outputs in the file's order, each a value of its own."""
    outputs: list[str] = []
    inputs = {values[value.name] for value in source.inputs}
    for name in source.outputs:
        if name not in values:
            raise OctavoError(
                f"output {describe(name)}", "does not depend on the input", "Remove this output from the model."
            )
        value = values[name]
        if value in inputs or value in outputs:
            value = builder.add(Identity(), [value], f"{name}.copy", f"output {describe(name)}")
        outputs.append(value)
    return builder.finish(outputs)
