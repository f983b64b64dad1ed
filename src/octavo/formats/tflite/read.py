"""Reads a .tflite file: a float model becomes a Graph, an int8 model a Quantized."""

from __future__ import annotations

from pathlib import Path

from octavo.errors import OctavoError
from octavo.formats.tflite.fold import fold
from octavo.formats.tflite.parse import DAMAGED, TfModel, TfOperator, guard, parse
from octavo.formats.tflite.step import Reading, Step, encoding
from octavo.formats.tflite.table import OPERATORS
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph, TensorType
from octavo.ir.plan import Quantized, make_plan

__all__ = ["load_tflite", "read_tflite"]

_FOLDED_ONLY = ("CAST", "GATHER", "PACK", "REDUCE_PROD")


def load_tflite(path: Path) -> Graph | Quantized:
    """Load a model: a Graph when it is float32, a Quantized (graph and encodings) when it is int8."""
    path = Path(path)
    try:
        with guard(path.name):
            return _load(path)
    except OctavoError as error:
        if error.where.startswith((path.name, str(path))):
            raise
        raise OctavoError(f"{path.name}: {error.where}", error.why, error.remedy) from error


def read_tflite(path: Path) -> Graph:
    """Load a float32 model; OctavoError when the file is quantized."""
    loaded = load_tflite(path)
    if isinstance(loaded, Quantized):
        raise OctavoError(Path(path).name, "is an int8 model", "Load it with load_tflite.")
    return loaded


def _load(path: Path) -> Graph | Quantized:
    model = parse(path)
    computed = {output for operator in model.operators for output in operator.outputs}
    types = {model.tensors[i].type for i in (*computed, *model.inputs) if i in model.inputs or not _is_const(model, i)}
    reading = Reading(
        path.name, model, GraphBuilder(model.name), "INT8" in types, computed=computed | set(model.inputs),
        budget=16 * path.stat().st_size,
    )  # fmt: skip
    for index in model.inputs:
        _input(reading, index)
    for operator in model.operators:
        _operator(reading, operator)
    return _finish(reading)


def _is_const(model: TfModel, index: int) -> bool:
    return model.tensors[index].data is not None


def _input(reading: Reading, index: int) -> None:
    tensor = reading.model.tensors[index]
    where = f"{reading.file}: input {tensor.name[:80]}"
    if index in reading.names or tensor.data is not None:
        raise OctavoError(where, "is listed twice or is a constant", DAMAGED)
    if any(tensor.dynamic[1:]):
        axes = [axis for axis, free in enumerate(tensor.dynamic) if free and axis]
        raise OctavoError(where, f"leaves the axes {axes} open", "Export the model with a fixed input shape.")
    allowed = ("FLOAT32", "INT8", "UINT8") if reading.quantized else ("FLOAT32",)
    if tensor.type not in allowed:
        remedy = "Convert the model as float32, or fully quantized with int8 inputs and activations."
        raise OctavoError(where, f"is of type {tensor.type}", remedy)
    name = reading.builder.input(tensor.name.split(";")[0][:80], TensorType(tensor.shape))
    reading.names[index] = name
    if tensor.type == "INT8":
        params = encoding(tensor, where)
        if params.per_channel:
            raise OctavoError(where, "is quantized per channel", DAMAGED)
        reading.qparams[name] = params


def _operator(reading: Reading, operator: TfOperator) -> None:
    step = Step(reading, operator)
    for output in operator.outputs:
        tensor = reading.model.tensors[output]
        if output in reading.names or output in reading.folded or tensor.data is not None:
            raise step.refuse(f"writes tensor {output} ({tensor.name[:80]}), which has a value already")
    with guard(step.where):
        if fold(step):
            return
        if operator.kind not in OPERATORS:
            raise step.refuse(*_unsupported(operator.kind))
        options_type, read = OPERATORS[operator.kind]
        if operator.options_type not in ("", options_type) and options_type:
            raise step.refuse(f"has the options of another operator ({operator.options_type})")
        read(step)


def _unsupported(kind: str) -> tuple[str, str]:
    if kind in _FOLDED_ONLY:
        return f"{kind} of computed tensors is not supported", "Replace it before export."
    return f"{kind} is not supported", f"Replace it before export by one of {', '.join(OPERATORS)}."


def _finish(reading: Reading) -> Graph | Quantized:
    outputs = []
    for index in reading.model.outputs:
        tensor = reading.model.tensors[index]
        if index not in reading.names:
            why = "is a constant" if tensor.data is not None or index in reading.folded else "is never computed"
            raise OctavoError(f"{reading.file}: output {tensor.name[:80]}", why, DAMAGED)
        outputs.append(reading.names[index])
    graph = reading.builder.finish(outputs)
    if not reading.quantized:
        return graph
    for value in graph.activations():
        if value not in reading.qparams:
            why = "is never quantized"
            raise OctavoError(f"{reading.file}: {value}", why, "Convert the model with full integer quantization.")
    reasons = {name: "given by the file" for name in reading.qparams}
    return Quantized(graph, make_plan(graph, reading.qparams, reasons=reasons))
