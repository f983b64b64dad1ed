"""The QDQ writer. Oracles: ONNX Runtime runs it; our fake-quantized floats and our integers agree with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx_models import MODELS
from onnx_oracle import read, run_octavo

from octavo.formats.onnx import write_onnx_qdq
from octavo.ir.build import GraphBuilder
from octavo.ir.graph import Graph
from octavo.ir.plan import Quantized
from octavo.lower.lower import lower
from octavo.ops import OPERATORS
from octavo.passes import normalize
from octavo.quant.quantize import quantize_graph
from octavo.run.float_run import float_run
from octavo.run.integer_run import integer_run


def run_qdq(data: bytes, inputs: dict[str, np.ndarray], optimize: bool) -> list[np.ndarray]:
    """ONNX Runtime on the written file; without optimisation every node is computed as written."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def simulate(quantized: Quantized, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Floats with every value rounded to its encoding."""

    def tap(name: str, x: torch.Tensor) -> torch.Tensor:
        encoding = quantized.plan.qparams.get(name)
        if encoding is None:
            return x
        return torch.from_numpy(encoding.dequantize(encoding.quantize(x.numpy())).astype(np.float32))

    return {name: value.numpy() for name, value in float_run(quantized.graph, inputs, tap).items()}


def sqnr(reference: np.ndarray, other: np.ndarray) -> float:
    """In dB."""
    noise = float(((reference - other) ** 2).sum())
    return 10 * np.log10(float((reference**2).sum()) / max(noise, 1e-30))


def example_graph(example: Any) -> Graph:
    """A graph of one operator."""
    builder = GraphBuilder("one")
    values = []
    for index, type_ in enumerate(example.inputs):
        const = example.consts.get(index)
        name = f"in{index}"
        values.append(builder.input(name, type_) if const is None else builder.const(const, name))
    return builder.finish([builder.add(example.op, values, "y")])


EXAMPLES = [(name, i, e) for name, cls in sorted(OPERATORS.items()) for i, e in enumerate(cls.examples())]


@pytest.mark.parametrize(("name", "index", "example"), EXAMPLES, ids=[f"{n}-{i}" for n, i, _ in EXAMPLES])
def test_every_operator(name: str, index: int, example: Any) -> None:
    graph = example_graph(example)
    rng = np.random.default_rng(index)
    inputs = {n: rng.normal(size=graph.types[n].shape).astype(np.float32) for n in graph.inputs}
    if name in ("Log", "Sqrt", "Rsqrt", "Div"):
        inputs = {n: np.abs(x) + np.float32(0.5) for n, x in inputs.items()}
    quantized = quantize_graph(graph, [inputs])
    expected = simulate(quantized, inputs)["y"]
    step, data = float(quantized.plan.qparams["y"].scale[0]), write_onnx_qdq(quantized)
    for optimize, limit in ((False, 1.01), (True, 3.01)):
        (made,) = run_qdq(data, inputs, optimize)
        assert made.shape == expected.shape
        assert np.abs(made - expected).max() <= limit * step


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    graph = normalize(read(model, tmp_path))
    rng = np.random.default_rng(5)
    (port,) = model.graph.input
    shape = [d.dim_value for d in port.type.tensor_type.shape.dim][1:]
    batch = rng.normal(size=(8, *shape)).astype(np.float32)
    quantized = quantize_graph(graph, [batch])
    data = write_onnx_qdq(quantized)
    assert data == write_onnx_qdq(quantized)
    plain, fused = (run_qdq(data, {"x": batch}, optimize)[0] for optimize in (False, True))
    (reference,) = run_octavo(graph, {"x": batch})
    (output,) = graph.outputs
    encoding = quantized.plan.qparams[output]
    ours = {"x": batch.transpose(graph.layouts["x"]) if "x" in graph.layouts else batch}
    integers = integer_run(lower(quantized).graph, {"x": quantized.plan.qparams["x"].quantize(ours["x"])})[output]
    decoded, simulated = encoding.dequantize(integers.numpy()), simulate(quantized, ours)[output]
    if output in graph.layouts:
        decoded, simulated = (v.transpose(graph.layouts[output]) for v in (decoded, simulated))
    step = float(encoding.scale[0])
    distances = [float(np.abs(plain - other).max()) / step for other in (simulated, decoded, fused)]
    print(f"{name}: QDQ {sqnr(reference, plain):.1f} dB, integers {sqnr(reference, decoded):.1f} dB, LSB {distances}")
    assert plain.shape == reference.shape
    assert sqnr(reference, plain) > 20 and abs(sqnr(reference, plain) - sqnr(reference, decoded)) < 3
    assert distances[0] <= 2 and distances[1] <= 4 and distances[2] <= 4


def test_cnn_has_no_transposes(tmp_path: Path) -> None:
    graph = normalize(read(MODELS["unet"](), tmp_path))
    batch = np.random.default_rng(0).normal(size=(2, 3, 8, 12)).astype(np.float32)
    written = onnx.load_from_string(write_onnx_qdq(quantize_graph(graph, [batch])))
    assert "Transpose" not in {node.op_type for node in written.graph.node}
    assert [d.dim_value for d in written.graph.input[0].type.tensor_type.shape.dim] == [0, 3, 8, 12]
