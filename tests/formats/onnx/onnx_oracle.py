"""Builds small ONNX models and compares their import with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from octavo.formats.onnx import read_onnx
from octavo.ir.check import verify
from octavo.ir.graph import Graph
from octavo.run.float_run import float_run

Shape = Sequence[int | str]


def node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    """A named node."""
    return helper.make_node(op_type, inputs, outputs, name=f"n_{outputs[0]}", **attributes)


def make_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Shape],
    outputs: Sequence[str],
    consts: Mapping[str, Any] | None = None,
    opset: int = 17,
    elem_type: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of these nodes; output shapes are left open."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, elem_type, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (consts or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run_runtime(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """ONNX Runtime's outputs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))


def run_octavo(graph: Graph, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Our float outputs in the user's layout."""
    given = {}
    for name, (_, array) in zip(graph.inputs, inputs.items(), strict=True):
        given[name] = array.transpose(graph.layouts[name]) if name in graph.layouts else array
    made = float_run(graph, given)
    outputs = []
    for name in graph.outputs:
        array = made[name].detach().numpy()
        outputs.append(array.transpose(graph.layouts[name]) if name in graph.layouts else array)
    return outputs


def read(model: onnx.ModelProto, folder: Path) -> Graph:
    """Import through a file."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return verify(read_onnx(path))


def compare(model: onnx.ModelProto, folder: Path, positive: bool = False, batch: int = 1) -> Graph:
    """Assert that the import computes what ONNX Runtime computes, within 1e-5 of the largest value."""
    rng = np.random.default_rng(7)
    inputs = {}
    for value in model.graph.input:
        shape = [d.dim_value or batch for d in value.type.tensor_type.shape.dim]
        array = rng.normal(size=shape).astype(np.float32) * 2
        inputs[value.name] = np.abs(array) + np.float32(0.1) if positive else array
    graph = read(model, folder)
    for ours, theirs in zip(run_octavo(graph, inputs), run_runtime(model, inputs), strict=True):
        assert ours.shape == theirs.shape
        limit = 1e-5 * max(float(np.abs(theirs).max()), 1e-3)
        assert np.abs(ours - theirs).max() <= limit, np.abs(ours - theirs).max()
    return graph
