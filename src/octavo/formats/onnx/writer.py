"""Writes a network as ONNX: a float one as it is, a quantized one in QDQ form.

QDQ is float operators between QuantizeLinear and DequantizeLinear. Weights are int8 (per channel) and biases int32,
each dequantized by a node; every activation is quantized and dequantized with its encoding. The inputs and outputs are
the user's: float, in the order of the model that was read, with a dynamic batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import TensorProto, ValueInfoProto, checker, helper

from octavo.errors import OctavoError
from octavo.formats.onnx.emission import EMIT
from octavo.formats.onnx.sheet import Sheet, axis_order
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized

__all__ = ["write_onnx", "write_onnx_qdq"]

_OPSET = 18
_IR_VERSION = 8


def write_onnx_qdq(quantized: Quantized) -> bytes:
    """The .onnx file of a quantized network."""
    graph = quantized.graph
    wide = [name for name in graph.activations() if quantized.plan.qparams[name].dtype == "int16"]
    if wide:
        raise OctavoError(
            wide[0],
            f"is {quantized.plan.qparams[wide[0]].dtype}, which QuantizeLinear of opset {_OPSET} does not have",
            "Quantize all layers as int8 for ONNX, or use the .tflite.",
        )
    return _written(Sheet(graph, quantized))


def write_onnx(graph: Graph) -> bytes:
    """The .onnx file of a float network."""
    return _written(Sheet(graph))


def _written(sheet: Sheet) -> bytes:
    graph = sheet.graph
    inputs = [_input(sheet, name) for name in graph.inputs]
    for node in graph.nodes:
        if type(node.op) not in EMIT:
            raise OctavoError(
                node.source or node.name, f"{node.kind} has no ONNX form", "Leave the ONNX export out for this network."
            )
        value = EMIT[type(node.op)](sheet, node, node.op)
        output = node.outputs[0]
        sheet.names[output] = sheet.encode(value, output)
    outputs = [_output(sheet, name) for name in graph.outputs]
    body = helper.make_graph(sheet.nodes, graph.name, inputs, outputs, sheet.initializers)
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="octavo",
    )
    checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _port(name: str, shape: Sequence[int]) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape[1:]])


def _input(sheet: Sheet, name: str) -> ValueInfoProto:
    """Declare an input in the user's order and encode it."""
    shape = sheet.graph.types[name].shape
    layout = sheet.graph.layouts.get(name, tuple(range(len(shape))))
    ours = sheet.transpose(name, [layout[axis] for axis in axis_order(len(shape))], name)
    sheet.names[name] = sheet.encode(ours, name)
    user = [0] * len(shape)
    for axis, source in enumerate(layout):
        user[source] = shape[axis]
    return _port(name, user)


def _output(sheet: Sheet, name: str) -> ValueInfoProto:
    """Give the user's order to an output and its own name to the last node."""
    if name in sheet.graph.inputs or list(sheet.graph.outputs).count(name) > 1:
        raise OctavoError(
            f"output {name}", "is an input, or is given twice", "ONNX names every output once: remove this output."
        )
    shape = sheet.graph.types[name].shape
    layout = sheet.graph.layouts.get(name, tuple(range(len(shape))))
    order = axis_order(len(shape))
    perm = [order.index(axis) for axis in layout]
    if perm == list(range(len(shape))):
        sheet.put_as("Identity", [sheet.names[name]], name)
    else:
        sheet.put_as("Transpose", [sheet.names[name]], name, perm=perm)
    return _port(name, [shape[axis] for axis in layout])
